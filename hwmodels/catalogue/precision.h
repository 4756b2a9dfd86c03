// Number formats a kernel computes in or a tensor is stored in.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace gpuplan {

// fp8_block: fp8 with 128x128 block scales; int8/int4 as weight formats are weight-only (dequantised to
// 16 bit in the kernel) unless activations are int8 too; nvfp4: fp4 with a fp8 scale per 16 values;
// mxfp4: fp4 with an 8-bit scale per 32 values (weight-only before Blackwell).
enum class Precision { fp64, fp32, tf32, bf16, fp16, fp8, fp8_block, int8, int4, nvfp4, mxfp4 };

inline constexpr std::array<std::string_view, 11> kPrecisionNames = {
    "fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "fp8_block", "int8", "int4", "nvfp4", "mxfp4"};
inline constexpr std::size_t kPrecisionCount = kPrecisionNames.size();

inline std::span<const std::string_view> enum_names(Precision /*tag*/) { return kPrecisionNames; }

// Bytes that one stored element takes, scales included (fp8_block: fp32 scale per 128x128 block;
// int4: fp16 scale per 128 weights, as GPTQ/AWQ group 128).
constexpr double bytes_per_element(Precision p) {
  switch (p) {
    case Precision::fp64:
      return 8.0;
    case Precision::fp32:
    case Precision::tf32:
      return 4.0;
    case Precision::bf16:
    case Precision::fp16:
      return 2.0;
    case Precision::fp8:
      return 1.0;
    case Precision::fp8_block:
      return 1.0 + 4.0 / (128.0 * 128.0);
    case Precision::int8:
      return 1.0;
    case Precision::int4:
      return 0.5 + 2.0 / 128.0;
    case Precision::nvfp4:
      return 0.5 + 1.0 / 16.0;
    case Precision::mxfp4:
      return 0.5 + 1.0 / 32.0;
  }
  return 0.0;
}

}  // namespace gpuplan
