// Decode attention, one new token per sequence, against batch and context. KV buffers rotate beyond the L2.
#include "../device/formats.h"
#include "../host/bits.h"
#include "../host/grids.h"
#include "../host/reference.h"
#include "attention_launch.h"
#include "sections.h"

namespace gpubench {

namespace {
constexpr int kv_tile = 64;
}

void check_decode(Bench& bench) {
  prepare_attention();
  struct Case {
    AttentionShape shape;
    int parts;
  };
  for (const Case& c : {Case{{3, 8, 2, 1, 1000, 128, false}, 5}, Case{{2, 16, 1, 1, 77, 64, false}, 3}}) {
    const AttentionShape& s = c.shape;
    Region memory = bench.memory();
    const std::size_t rows = static_cast<std::size_t>(s.batch) * s.heads, queries = rows * s.head_dim;
    const std::size_t keys = static_cast<std::size_t>(s.batch) * s.kv_heads * s.seq_kv * s.head_dim;
    const auto q = random_bf16(queries, 1), k = random_bf16(keys, 2), v = random_bf16(keys, 3);
    const AttentionBuffers buffers = {memory.put(q), memory.put(k), memory.put(v),
                                      memory.take<std::uint16_t>(queries)};
    auto* parts_out = memory.take<float>(queries * c.parts);
    auto* parts_lse = memory.take<float>(rows * c.parts);
    CUDA_CHECK(cudaMemsetAsync(buffers.out, 0xff, queries * 2, bench.stream()));  // NaN
    launch_decode(s, buffers, c.parts, parts_out, parts_lse, bench.stream());
    bench.check("decode context " + std::to_string(s.seq_kv), as_doubles(fetched(buffers.out, queries)),
                reference_attention(s, as_doubles(q), as_doubles(k), as_doubles(v)), 0.01);
  }
}

void measure_decode(Bench& bench) {
  prepare_attention();
  std::vector<AttentionShape> shapes;
  const std::vector<int> batches =
      bench.quick ? std::vector<int>{1, 4, 16, 64, 256} : std::vector<int>{1, 2, 4, 8, 16, 32, 64, 128, 256};
  const std::vector<int> contexts =
      bench.quick ? std::vector<int>{512, 2048, 8192, 32768}
                  : std::vector<int>{128, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072};
  for (int batch : batches)
    for (int context : contexts) {
      shapes.push_back({batch, 32, 8, 1, context, 128, false});
      if (!bench.quick) shapes.push_back({batch, 8, 1, 1, context, 128, false});
    }
  Region all = bench.memory();
  const std::size_t elements = all.left() / 4 * 3 / 2 / 128 * 128;
  auto* data = all.take<std::uint16_t>(elements);
  fill(data, Format::bf16, elements, Filling::normal, 1, bench.stream());
  for (int point : spread_order(static_cast<int>(shapes.size()))) {
    const AttentionShape& s = shapes[static_cast<std::size_t>(point)];
    const std::string label = "batch " + std::to_string(s.batch) + " kv heads " + std::to_string(s.kv_heads) +
                              " context " + std::to_string(s.seq_kv);
    if (!bench.begin_point(label)) continue;
    const std::size_t rows = static_cast<std::size_t>(s.batch) * s.heads, queries = rows * s.head_dim;
    const std::size_t keys = static_cast<std::size_t>(s.batch) * s.kv_heads * s.seq_kv * s.head_dim;
    if (2 * keys + queries > elements) {
      bench.unsupported(label, "does not fit in memory");
      continue;
    }
    const int parts =
        decode_splits(s.batch * s.kv_heads, 2 * bench.device.sm_count, ceil_div(s.seq_kv, kv_tile));
    Region memory = all;
    auto* out = memory.take<std::uint16_t>(queries);
    auto* parts_out = memory.take<float>(queries * parts);
    auto* parts_lse = memory.take<float>(rows * parts);
    // The query comes first, then K and V in turns.
    const int sets = rotation_sets(static_cast<std::int64_t>(keys * 4), bench.device.l2_bytes,
                                   static_cast<std::int64_t>((elements - queries) * 2));
    const auto seconds = bench.time(
        [&](cudaStream_t stream, int turn) {
          const std::uint16_t* kv = data + queries + static_cast<std::size_t>(turn) * 2 * keys;
          launch_decode(s, {data, kv, kv + keys, out}, parts, parts_out, parts_lse, stream);
        },
        sets);
    bench.emit("attention_decode",
               Fields()
                   .add("batch", s.batch)
                   .add("heads", s.heads)
                   .add("kv_heads", s.kv_heads)
                   .add("context", s.seq_kv)
                   .add("head_dim", s.head_dim)
                   .add("dtype", "bf16")
                   .add("parts", parts)
                   .add("flops", attention_flops(s))
                   .add("hbm_bytes", decode_bytes(s))
                   .add("buffers", sets),
               "s", seconds);
  }
}

}  // namespace gpubench
