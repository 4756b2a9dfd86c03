// Norms, softmax and elementwise kernels on bf16 against rows and columns. Buffers rotate beyond the L2:
// every element comes from HBM and goes there.
#include <iterator>

#include "../device/formats.h"
#include "../host/bits.h"
#include "../host/grids.h"
#include "../host/reference.h"
#include "../kernels/rows.cuh"
#include "sections.h"

namespace gpubench {

namespace {

enum class Op { rms_norm, layer_norm, softmax, add, gelu, silu_product };

struct Kind {
  Op op;
  const char* name;
  int streams;  // arrays read and written
  double flops_per_element;
};
const Kind kinds[] = {{Op::rms_norm, "rms_norm", 2, 4}, {Op::layer_norm, "layer_norm", 2, 7},
                      {Op::softmax, "softmax", 2, 5},   {Op::add, "add", 3, 1},
                      {Op::gelu, "gelu", 2, 9},         {Op::silu_product, "silu_product", 3, 5}};

template <Pointwise op>
void run_pointwise(const uint4* a, const uint4* b, uint4* out, long long octets, cudaStream_t stream) {
  pointwise<op><<<static_cast<unsigned>((octets + 255) / 256), 256, 0, stream>>>(a, b, out, octets);
}

void run(Op op, const uint4* a, const uint4* b, uint4* out, int rows, int cols, cudaStream_t stream) {
  const long long octets = static_cast<long long>(rows) * cols / 8;
  const auto blocks = static_cast<unsigned>(rows);
  switch (op) {
    case Op::rms_norm:
      norm<false><<<blocks, row_threads, 0, stream>>>(a, b, out, cols);
      break;
    case Op::layer_norm:
      norm<true><<<blocks, row_threads, 0, stream>>>(a, b, out, cols);
      break;
    case Op::softmax:
      softmax<<<blocks, row_threads, 0, stream>>>(a, out, cols, false, rows, 0);
      break;
    case Op::add:
      run_pointwise<Pointwise::add>(a, b, out, octets, stream);
      break;
    case Op::gelu:
      run_pointwise<Pointwise::gelu>(a, b, out, octets, stream);
      break;
    case Op::silu_product:
      run_pointwise<Pointwise::silu_product>(a, b, out, octets, stream);
      break;
  }
  LAUNCH_CHECK();
}

Doubles reference(Op op, const Doubles& a, const Doubles& b, int rows, int cols) {
  switch (op) {
    case Op::rms_norm:
      return reference_rms_norm(a, b, rows, cols);
    case Op::layer_norm:
      return reference_layer_norm(a, b, rows, cols);
    case Op::softmax:
      return reference_softmax(a, rows, cols, [&](int) { return cols; });
    default:
      break;
  }
  Doubles out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    out[i] = op == Op::add    ? a[i] + b[i]
             : op == Op::gelu ? reference_gelu(a[i])
                              : reference_silu_product(a[i], b[i]);
  return out;
}

}  // namespace

void check_rows(Bench& bench) {
  const int rows = 7, cols = 2056;
  const auto a = random_bf16(rows * cols, 1), b = random_bf16(rows * cols, 2);
  for (const Kind& kind : kinds) {
    Region memory = bench.memory();
    const auto* da = memory.put(a);
    const auto* db = memory.put(b);
    auto* out = memory.take<std::uint16_t>(a.size());
    CUDA_CHECK(cudaMemsetAsync(out, 0xff, a.size() * 2, bench.stream()));
    run(kind.op, reinterpret_cast<const uint4*>(da), reinterpret_cast<const uint4*>(db),
        reinterpret_cast<uint4*>(out), rows, cols, bench.stream());
    bench.check(std::string("rows ") + kind.name, as_doubles(fetched(out, a.size())),
                reference(kind.op, as_doubles(a), as_doubles(b), rows, cols), 0.005);
  }
}

void measure_rows(Bench& bench) {
  struct Shape {
    int rows, cols;
  };
  std::vector<Shape> shapes;
  const std::vector<int> widths =
      bench.quick ? std::vector<int>{4096, 8192} : std::vector<int>{1024, 4096, 8192, 16384};
  const std::vector<int> heights = bench.quick ? std::vector<int>{1, 16, 64, 256, 1024, 4096, 16384}
                                               : std::vector<int>{1, 16, 64, 256, 1024, 4096, 16384, 65536};
  for (int cols : widths)
    for (int rows : heights) shapes.push_back({rows, cols});

  Region all = bench.memory();
  const std::size_t elements = all.left() / 2 / 128 * 128;
  auto* data = all.take<std::uint16_t>(elements);
  fill(data, Format::bf16, elements, Filling::normal, 1, bench.stream());
  const int count = static_cast<int>(std::size(kinds));
  for (int point : spread_order(count * static_cast<int>(shapes.size()))) {
    const Kind& kind = kinds[point % count];
    const Shape& shape = shapes[static_cast<std::size_t>(point / count)];
    const std::string label =
        std::string(kind.name) + " " + std::to_string(shape.rows) + " x " + std::to_string(shape.cols);
    if (!bench.begin_point(label)) continue;
    const std::size_t array = static_cast<std::size_t>(shape.rows) * shape.cols;
    const std::size_t set = 3 * array;
    if (set > elements) {
      bench.unsupported(label, "does not fit in memory");
      continue;
    }
    const int sets = rotation_sets(static_cast<std::int64_t>(set * 2), bench.device.l2_bytes,
                                   static_cast<std::int64_t>(elements * 2));
    const auto seconds = bench.time(
        [&](cudaStream_t stream, int turn) {
          auto* a = reinterpret_cast<uint4*>(data + static_cast<std::size_t>(turn) * set);
          run(kind.op, a, a + array / 8, a + array / 4, shape.rows, shape.cols, stream);
        },
        sets);
    bench.emit("rows",
               Fields()
                   .add("op", kind.name)
                   .add("rows", shape.rows)
                   .add("cols", shape.cols)
                   .add("dtype", "bf16")
                   .add("hbm_bytes", 2.0 * kind.streams * static_cast<double>(array))
                   .add("flops", kind.flops_per_element * static_cast<double>(array))
                   .add("buffers", sets),
               "s", seconds);
  }
}

}  // namespace gpubench
