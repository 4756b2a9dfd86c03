#include <dlfcn.h>

#include <limits>

#include "sensors.h"

namespace gpubench {

namespace {
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
}

template <class Function>
Function Sensors::symbol(const char* name) const {
  return reinterpret_cast<Function>(dlsym(library_, name));
}

// Function names, argument types and the codes for clocks (1 = SM, 2 = memory) and temperatures (0 = GPU) are
// those of NVML's published interface; every call returns 0 for success.
Sensors::Sensors(const std::string& pci_bus_id) {
  library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library_) return;
  const auto start = symbol<Init>("nvmlInit_v2");
  const auto find = symbol<ByBusId>("nvmlDeviceGetHandleByPciBusId_v2");
  if (!start || !find || start() != 0) return;
  shutdown_ = symbol<Init>("nvmlShutdown");
  char version[96] = "";
  const auto driver_version = symbol<DriverVersion>("nvmlSystemGetDriverVersion");
  if (driver_version && driver_version(version, sizeof version) == 0) driver_ = version;
  clock_ = symbol<ReadTyped>("nvmlDeviceGetClockInfo");
  most_clock_ = symbol<ReadTyped>("nvmlDeviceGetMaxClockInfo");
  temperature_ = symbol<ReadTyped>("nvmlDeviceGetTemperature");
  power_ = symbol<Read>("nvmlDeviceGetPowerUsage");
  power_limit_ = symbol<Read>("nvmlDeviceGetEnforcedPowerLimit");
  reasons_ = symbol<ReadLong>("nvmlDeviceGetCurrentClocksThrottleReasons");
  if (find(pci_bus_id.c_str(), &device_) != 0) device_ = nullptr;
}

Sensors::~Sensors() {
  if (shutdown_) shutdown_();
  if (library_) dlclose(library_);
}

double Sensors::clock_hz(unsigned type) const {
  unsigned megahertz = 0;
  return device_ && clock_ && clock_(device_, type, &megahertz) == 0 ? megahertz * 1e6 : unknown;
}
double Sensors::power_w() const {
  unsigned milliwatts = 0;
  return device_ && power_ && power_(device_, &milliwatts) == 0 ? milliwatts * 1e-3 : unknown;
}
double Sensors::temperature_c() const {
  unsigned celsius = 0;
  return device_ && temperature_ && temperature_(device_, 0, &celsius) == 0 ? celsius : unknown;
}

Fields Sensors::now() const {
  Fields fields;
  fields.add("available", available());
  if (!available()) return fields;
  fields.add("sm_clock_hz", sm_clock_hz()).add("memory_clock_hz", memory_clock_hz());
  fields.add("power_w", power_w()).add("temperature_c", temperature_c());
  unsigned long long reasons = 0;
  if (reasons_ && reasons_(device_, &reasons) == 0) fields.add("throttle_reasons", reasons);
  return fields;
}

Fields Sensors::limits() const {
  Fields fields;
  fields.add("available", available());
  if (!available()) return fields;
  unsigned value = 0;
  if (most_clock_ && most_clock_(device_, 1, &value) == 0) fields.add("sm_clock_hz_max", value * 1e6);
  if (most_clock_ && most_clock_(device_, 2, &value) == 0) fields.add("memory_clock_hz_max", value * 1e6);
  if (power_limit_ && power_limit_(device_, &value) == 0) fields.add("power_limit_w", value * 1e-3);
  return fields;
}

}  // namespace gpubench
