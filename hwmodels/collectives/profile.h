// Fitted constants of collectives with their errors, as shipped in calibrate/profiles/collectives/: one file
// an architecture (a set per NCCL version, and the engine's own all-reduce) and one for networks.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/collectives/timing.h"

namespace gpuplan::collectives {

// Errors on rows that the fit did not see, relative to the measurement.
struct HeldOutError {
  double median = 0.3, p90 = 0.8, bias = 0.0;  // absolute, absolute, signed
  double q80 = 0.6;                            // 80 % lie within a factor 1 + q80 of the prediction
  std::int64_t rows = 0;                       // 0: assumed, nothing measured
};
template <class V>
void describe(V& v, HeldOutError& s) {
  v.field("median", s.median, "held-out median absolute relative error", json::not_negative());
  v.field("p90", s.p90, "held-out 90th percentile", json::not_negative());
  v.field("bias", s.bias, "held-out median signed relative error");
  v.field("q80", s.q80, "80 % lie within a factor 1 + q80 of the prediction", json::not_negative());
  v.field("rows", s.rows, "held-out rows; 0: assumed", json::not_negative());
}

// What was measured of one NCCL version on one architecture.
struct VersionConstants {
  std::string version;
  bool ll128 = true;  // NCCL takes LL128 for large messages
  TimingConstants time;
  HeldOutError error;
};
template <class V>
void describe(V& v, VersionConstants& s) {
  v.field("version", s.version, "of NCCL", json::required);
  v.field("ll128", s.ll128, "NCCL takes LL128 for large messages");
  v.field("time", s.time, "constants of the time", json::required);
  v.field("error", s.error, "on rows that the fit did not see");
}

struct ArchitectureProfile {
  Architecture architecture = Architecture::sm90;
  std::string source = "assumed";
  std::vector<VersionConstants> versions;  // by version, the newest last
  CustomConstants custom;
  HeldOutError custom_error;
};
template <class V>
void describe(V& v, ArchitectureProfile& s) {
  v.field("architecture", s.architecture, "compute capability", json::required);
  v.field("source", s.source, "data the constants were fitted to", json::required);
  v.field("versions", s.versions, "by NCCL version, the newest last", json::required);
  v.field("custom", s.custom, "an inference engine's own all-reduce");
  v.field("custom_error", s.custom_error, "its errors");
}

struct MeasuredNetwork {
  NetworkConstants time;
  HeldOutError error;
};
template <class V>
void describe(V& v, MeasuredNetwork& s) {
  v.field("time", s.time, "constants of the time", json::required);
  v.field("error", s.error, "each series of measurements left out once, or each row of an only one");
}

struct NetworkProfile {
  std::string source = "assumed";
  std::vector<MeasuredNetwork> networks;
};
template <class V>
void describe(V& v, NetworkProfile& s) {
  v.field("source", s.source, "data the constants were fitted to", json::required);
  v.field("networks", s.networks, "by kind of network", json::required);
}

struct Profiles {
  std::vector<ArchitectureProfile> architectures;
  NetworkProfile networks;

  // The files below `data_dir`; what is missing is left empty, and counts as assumed. Throws InputError.
  static Profiles load(const std::string& data_dir);

  [[nodiscard]] const ArchitectureProfile& architecture(Architecture tag) const;
  // The set of `version`; of the newest that was measured where that one was not, or none is asked for.
  [[nodiscard]] const VersionConstants& version(Architecture tag, const std::string& version) const;
  [[nodiscard]] const MeasuredNetwork& network(NetworkKind fabric) const;
};

}  // namespace gpuplan::collectives
