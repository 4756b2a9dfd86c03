#include "calibrate/import/compare.h"

#include <algorithm>
#include <map>
#include <set>

namespace gpuplan::calibrate {

namespace {

const Gpu& required_gpu(const Catalogue& catalogue, const std::string& name, const std::string& path) {
  const Gpu* found = catalogue.gpu(name);
  if (found == nullptr) {
    throw InputError(
        {path, name.empty() ? "no name of the GPU measured" : "GPU \"" + name + "\"",
         path == "--gpu" ? "a GPU of the catalogue" : "a GPU of the catalogue; say which with --gpu",
         name.empty() ? "" : did_you_mean(name, catalogue.gpu_names())});
  }
  return *found;
}

// Models and nodes of the GPUs that come up.
class Priced {
 public:
  explicit Priced(const CompareOptions& options) : options_(options) {
    if (!options.gpu.empty()) {
      asked_ = &required_gpu(*options.catalogue, options.gpu, "--gpu");
    }
  }

  const Gpu& gpu_of(const Measurement& m, const ImportedFile& file, std::vector<std::string>& notes) {
    if (asked_ == nullptr) {
      return required_gpu(*options_.catalogue, m.gpu, file.path);
    }
    if (noted_.emplace(file.path, m.gpu).second) {
      const Gpu* named = options_.catalogue->gpu(m.gpu);
      if (!m.gpu.empty() && named != asked_) {
        notes.push_back(file_name(file.path) + " names its GPU " + m.gpu + "; taken as " + asked_->name +
                        ", as --gpu says");
      }
    }
    return *asked_;
  }

  Prediction predict(const Measurement& m, const Gpu& gpu) {
    auto model = models_.find(gpu.name);
    if (model == models_.end()) {
      model = models_.emplace(gpu.name, kernels::KernelModel::for_gpu(gpu, options_.data_dir)).first;
    }
    return calibrate::predict(m, model->second, options_.catalogue->default_node(gpu.name));
  }

 private:
  const CompareOptions& options_;
  const Gpu* asked_ = nullptr;
  std::map<std::string, kernels::KernelModel> models_;
  std::set<std::pair<std::string, std::string>> noted_;
};

bool is_rate(const Measurement& m) { return m.unit.ends_with("/s"); }

// As time, so that all rows can be summed up: of a rate the time for one unit of work.
ValidationRow validation_row(const ComparedRow& row) {
  const Measurement& m = row.measurement;
  const Prediction& p = row.prediction;
  const bool rate = is_rate(m);
  const auto time = [&](double value) { return rate ? 1.0 / value : value; };
  return {m.id,          {{"gpu", m.gpu}, {"family", m.family}}, time(m.value),
          time(p.value), time(rate ? p.high80 : p.low80),        time(rate ? p.low80 : p.high80)};
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

std::vector<SharedMeasurement> shared_by_sources(const std::vector<ComparedRow>& rows) {
  struct Source {
    std::string label;
    std::vector<double> values;
  };
  struct Same {
    const Measurement* first = nullptr;
    std::vector<Source> sources;
  };
  std::vector<Same> all;
  std::map<std::string, std::size_t> index;
  for (const ComparedRow& row : rows) {
    const std::string key = row.measurement.gpu + " " + identity(row.measurement);
    const auto [at, added] = index.emplace(key, all.size());
    if (added) {
      all.emplace_back().first = &row.measurement;
    }
    std::vector<Source>& sources = all[at->second].sources;
    auto source =
        std::find_if(sources.begin(), sources.end(), [&](const Source& s) { return s.label == row.label; });
    if (source == sources.end()) {
      source = sources.insert(sources.end(), Source{row.label, {}});
    }
    source->values.push_back(row.measurement.value);
  }
  std::vector<SharedMeasurement> shared;
  for (const Same& same : all) {
    for (std::size_t i = 1; i < same.sources.size(); ++i) {
      shared.push_back({*same.first, same.sources[0].label, same.sources[i].label,
                        median_of(same.sources[0].values), median_of(same.sources[i].values)});
    }
  }
  return shared;
}

}  // namespace

Comparison compare(std::vector<ImportedFile> files, const CompareOptions& options) {
  Comparison out;
  Priced priced(options);
  ValidationRows validation;
  std::map<std::string, int> same_name;
  for (const ImportedFile& file : files) {
    ++same_name[file_name(file.path)];
  }
  for (ImportedFile& file : files) {
    const std::string name = same_name[file_name(file.path)] > 1 ? file.path : file_name(file.path);
    for (const std::string& note : file.notes) {
      out.notes.push_back(name + ": " + note);
    }
    for (const auto& [reason, count] : file.skipped) {
      validation.skip(reason, count);
    }
    const bool one_source = std::all_of(file.rows.begin(), file.rows.end(), [&](const Measurement& m) {
      return m.source == file.rows.front().source;
    });
    for (Measurement& m : file.rows) {
      const Gpu& gpu = priced.gpu_of(m, file, out.notes);
      ComparedRow row;
      row.prediction = priced.predict(m, gpu);
      row.label = one_source ? name : name + " " + m.source;
      row.measurement = std::move(m);
      row.measurement.gpu = gpu.name;
      if (row.prediction.reason.empty()) {
        const ValidationRow as_time = validation_row(row);
        row.error = as_time.predicted / as_time.measured - 1.0;
        validation.rows.push_back(as_time);
      } else {
        validation.skip(row.prediction.reason);
      }
      out.rows.push_back(std::move(row));
    }
  }
  const bool one_gpu = std::all_of(out.rows.begin(), out.rows.end(), [&](const ComparedRow& row) {
    return row.measurement.gpu == out.rows.front().measurement.gpu;
  });
  SummaryOptions grouped;
  grouped.group_by = one_gpu ? std::vector<std::string>{"family"} : std::vector<std::string>{"gpu", "family"};
  grouped.worst = 0;
  out.summary = summarise(validation, grouped);
  out.shared = shared_by_sources(out.rows);
  return out;
}

json::Value to_json(const Comparison& comparison) {
  json::Array rows, shared, notes;
  for (const ComparedRow& row : comparison.rows) {
    json::Value line = to_json(row.measurement);
    const Prediction& p = row.prediction;
    if (p.reason.empty()) {
      line["predicted"] = p.value;
      line["interval80"] = json::Array{p.low80, p.high80};
      line["error"] = row.error;
      line["provenance"] = json::name_of(p.provenance);
      line["outside_measured_range"] = p.outside_measured_range;
    } else {
      line["not_predicted"] = p.reason;
    }
    rows.push_back(std::move(line));
  }
  for (const SharedMeasurement& s : comparison.shared) {
    const Measurement& m = s.measurement;
    shared.emplace_back(json::Object{{"gpu", m.gpu},
                                     {"family", m.family},
                                     {"shape", m.shape},
                                     {"unit", m.unit},
                                     {"first", s.first},
                                     {"first_value", s.first_value},
                                     {"second", s.second},
                                     {"second_value", s.second_value},
                                     {"ratio", s.ratio()}});
  }
  for (const std::string& note : comparison.notes) {
    notes.emplace_back(note);
  }
  return json::Object{{"rows", std::move(rows)},
                      {"summary", to_json(comparison.summary)},
                      {"shared", std::move(shared)},
                      {"notes", std::move(notes)}};
}

std::string measurement_lines(const Comparison& comparison) {
  std::string out;
  for (const ComparedRow& row : comparison.rows) {
    out += json::dump(to_json(row.measurement)) + "\n";
  }
  return out;
}

}  // namespace gpuplan::calibrate
