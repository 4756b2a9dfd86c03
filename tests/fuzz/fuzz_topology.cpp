// Any bytes as a topology of NCCL or nvidia-smi: either a graph with the promised properties, which survives
// being exported and read again, or InputError with a line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hwmodels/fabric/import/import.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

const gpuplan::Catalogue& catalogue() {
  static const gpuplan::Catalogue loaded = gpuplan::Catalogue::load(gpuplan::data_root());
  return loaded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuplan;
  using namespace gpuplan::fabric;
  Imported imported;
  try {
    imported = import_topology({reinterpret_cast<const char*>(data), size}, "fuzz", catalogue());
  } catch (const InputError& error) {
    require(!error.problems().empty() && error.problems().front().path.rfind("fuzz:", 0) == 0);
    return 0;
  }
  const Topology& t = imported.topology;
  require(!t.gpus().empty() && t.node_count() == 1 && !imported.format.empty());
  require(t.of_node(0, DeviceKind::nic).size() == imported.nic_bandwidth.size());
  require(t.problems().empty());
  const DeviceId first = t.gpus().front(), last = t.gpus().back();
  require(first == last || !t.route(first, last).empty());
  require(t.path_kind(first, last) == t.path_kind(last, first));
  const Imported again = import_nccl_xml(export_nccl_xml(t, 0), "again", catalogue());
  require(again.topology.gpus().size() == t.gpus().size());
  return 0;
}
