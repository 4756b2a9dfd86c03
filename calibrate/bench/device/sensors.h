// Clocks, power and temperature through NVML, where its library is there; it is opened at run time.
#pragma once

#include <string>

#include "../host/report.h"

namespace gpubench {

class Sensors {
 public:
  explicit Sensors(const std::string& pci_bus_id);
  ~Sensors();
  Sensors(const Sensors&) = delete;
  Sensors& operator=(const Sensors&) = delete;

  bool available() const { return device_ != nullptr; }
  const std::string& driver() const { return driver_; }
  // NaN where it cannot be read.
  double sm_clock_hz() const { return clock_hz(1); }
  double memory_clock_hz() const { return clock_hz(2); }
  double power_w() const;
  double temperature_c() const;
  Fields now() const;     // the four above and the reasons that hold the clock down
  Fields limits() const;  // highest clocks and the power limit

 private:
  using Init = int (*)();
  using DriverVersion = int (*)(char*, unsigned);
  using ByBusId = int (*)(const char*, void**);
  using ReadTyped = int (*)(void*, unsigned, unsigned*);
  using Read = int (*)(void*, unsigned*);
  using ReadLong = int (*)(void*, unsigned long long*);

  template <class Function>
  Function symbol(const char* name) const;
  double clock_hz(unsigned type) const;

  void* library_ = nullptr;
  void* device_ = nullptr;
  std::string driver_;
  Init shutdown_ = nullptr;
  ReadTyped clock_ = nullptr, most_clock_ = nullptr, temperature_ = nullptr;
  Read power_ = nullptr, power_limit_ = nullptr;
  ReadLong reasons_ = nullptr;
};

}  // namespace gpubench
