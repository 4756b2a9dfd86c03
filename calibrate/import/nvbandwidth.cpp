// The tests that have a price: copies by the copy engine between host and one GPU, alone or with traffic the
// other way, and within a GPU. nvbandwidth copies page-locked buffers (512 MiB unless told) and reports the
// measured stream only. Others keep their name as family.
#include "calibrate/import/nvbandwidth.h"

#include <fmt/format.h>

#include <array>

#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

struct HostCopy {
  std::string_view test, direction;
  bool other_way_busy;
};
constexpr std::array<HostCopy, 4> kHostCopies = {
    {{"host_to_device_memcpy_ce", "host_to_device", false},
     {"device_to_host_memcpy_ce", "device_to_host", false},
     {"host_to_device_bidirectional_memcpy_ce", "host_to_device", true},
     {"device_to_host_bidirectional_memcpy_ce", "device_to_host", true}}};

// Family and shape of a test; of one between GPUs the pair besides.
void set_shape(Measurement& m, const std::string& test, std::size_t row, std::size_t column) {
  for (const HostCopy& copy : kHostCopies) {
    if (test == copy.test) {
      m.family = "host_copy";
      m.shape = json::Object{{"direction", copy.direction}, {"memory", "pinned"}};
      if (copy.other_way_busy) {
        m.shape["other_way_busy"] = true;
      }
      return;
    }
  }
  if (test == "device_local_copy") {
    m.family = "device_copy";
    m.shape = json::Object{};
    return;
  }
  m.family = test;
  m.shape = test.find("device_to_device") != std::string::npos ? json::Object{{"from", row}, {"to", column}}
                                                               : json::Object{{"gpu", column}};
}

struct Unit {
  std::string_view name, si;
  double scale;
};
constexpr std::array<Unit, 3> kUnits = {{{"GB/s", "B/s", 1e9}, {"(ns)", "s", 1e-9}, {"(us)", "s", 1e-6}}};

}  // namespace

void add_matrix(const BandwidthMatrix& matrix, const std::string& id, const std::string& where,
                const std::string& source, const std::vector<std::string>& gpus, ImportedFile& file) {
  const Unit* unit = nullptr;
  for (const Unit& known : kUnits) {
    if (unit == nullptr && matrix.description.find(known.name) != std::string::npos) {
      unit = &known;
    }
  }
  if (unit == nullptr) {
    throw InputError({where, quoted(matrix.description), "a description with its unit: GB/s, ns or us", ""});
  }
  for (std::size_t row = 0; row < matrix.values.size(); ++row) {
    for (std::size_t column = 0; column < matrix.values[row].size(); ++column) {
      const std::optional<double>& value = matrix.values[row][column];
      if (!value) {
        continue;  // N/A: a GPU and itself, or a pair without a path
      }
      if (*value == 0.0) {
        file.skip("a value of zero");
        continue;
      }
      Measurement m;
      m.id = fmt::format("{}[{},{}]", id, row, column);
      m.where = where;
      m.source = source;
      m.gpu = gpus.empty() ? "" : column < gpus.size() ? gpus[column] : gpus.front();
      m.unit = unit->si;
      m.value = *value * unit->scale;
      set_shape(m, matrix.test, row, column);
      file.rows.push_back(std::move(m));
    }
  }
}

}  // namespace gpuplan::calibrate
