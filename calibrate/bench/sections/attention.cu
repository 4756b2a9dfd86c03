// Prefill attention against sequence length, our own flash and naive kernels, with the HBM bytes each must
// move. Neither is the fastest of its kind: they show what materialised scores cost, not what a vendor's
// kernel reaches.
#include "../device/formats.h"
#include "../host/bits.h"
#include "../host/grids.h"
#include "../host/reference.h"
#include "attention_launch.h"
#include "sections.h"

namespace gpubench {

void check_attention(Bench& bench) {
  prepare_attention();
  for (const AttentionShape& s : std::vector<AttentionShape>{
           {2, 4, 2, 200, 200, 128, true}, {1, 2, 2, 64, 136, 64, false}, {1, 4, 1, 72, 136, 64, true}}) {
    Region memory = bench.memory();
    const std::size_t queries = static_cast<std::size_t>(s.batch) * s.heads * s.seq_q * s.head_dim;
    const std::size_t keys = static_cast<std::size_t>(s.batch) * s.kv_heads * s.seq_kv * s.head_dim;
    const auto q = random_bf16(queries, 1), k = random_bf16(keys, 2), v = random_bf16(keys, 3);
    const Doubles expected = reference_attention(s, as_doubles(q), as_doubles(k), as_doubles(v));
    const AttentionBuffers buffers = {memory.put(q), memory.put(k), memory.put(v),
                                      memory.take<std::uint16_t>(queries)};
    auto* scores =
        memory.take<std::uint16_t>(static_cast<std::size_t>(s.batch) * s.heads * s.seq_q * s.seq_kv);
    const std::string shape = " " + std::to_string(s.seq_q) + " x " + std::to_string(s.seq_kv) + " dim " +
                              std::to_string(s.head_dim);
    CUDA_CHECK(cudaMemsetAsync(buffers.out, 0xff, queries * 2, bench.stream()));  // NaN
    launch_flash(s, buffers, bench.stream());
    bench.check("attention flash" + shape, as_doubles(fetched(buffers.out, queries)), expected, 0.01);
    CUDA_CHECK(cudaMemsetAsync(buffers.out, 0xff, queries * 2, bench.stream()));
    launch_naive(s, buffers, scores, bench.stream());
    bench.check("attention naive" + shape, as_doubles(fetched(buffers.out, queries)), expected, 0.02);
  }
}

void measure_attention(Bench& bench) {
  prepare_attention();
  std::vector<AttentionShape> shapes;
  for (int seq : bench.quick ? std::vector<int>{512, 1024, 2048, 4096, 8192}
                             : std::vector<int>{128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768}) {
    shapes.push_back({1, 32, 8, seq, seq, 128, true});
    if (!bench.quick) shapes.push_back({1, 32, 32, seq, seq, 128, false});
    if (!bench.quick) shapes.push_back({8, 16, 16, seq, seq, 64, false});
  }
  for (int point : spread_order(2 * static_cast<int>(shapes.size()))) {
    const bool flash = point % 2 == 0;
    const AttentionShape& s = shapes[static_cast<std::size_t>(point / 2)];
    const std::string label = std::string(flash ? "flash" : "naive") + " batch " + std::to_string(s.batch) +
                              " heads " + std::to_string(s.heads) + " seq " + std::to_string(s.seq_q);
    if (!bench.begin_point(label)) continue;
    Region memory = bench.memory();
    const std::size_t queries = static_cast<std::size_t>(s.batch) * s.heads * s.seq_q * s.head_dim;
    const std::size_t keys = static_cast<std::size_t>(s.batch) * s.kv_heads * s.seq_kv * s.head_dim;
    const std::size_t scores = static_cast<std::size_t>(s.batch) * s.heads * s.seq_q * s.seq_kv;
    const std::size_t bytes = 2 * (2 * queries + 2 * keys + (flash ? 0 : scores)) + 5 * 256;
    if (bytes > memory.left()) {
      bench.unsupported(label, "does not fit in memory");
      continue;
    }
    auto* q = memory.take<std::uint16_t>(queries);
    auto* k = memory.take<std::uint16_t>(keys);
    auto* v = memory.take<std::uint16_t>(keys);
    fill(q, Format::bf16, queries, Filling::normal, 1, bench.stream());
    fill(k, Format::bf16, keys, Filling::normal, 2, bench.stream());
    fill(v, Format::bf16, keys, Filling::normal, 3, bench.stream());
    const AttentionBuffers buffers = {q, k, v, memory.take<std::uint16_t>(queries)};
    auto* materialised = flash ? nullptr : memory.take<std::uint16_t>(scores);
    const auto seconds = bench.time([&](cudaStream_t stream, int) {
      flash ? launch_flash(s, buffers, stream) : launch_naive(s, buffers, materialised, stream);
    });
    bench.emit("attention_prefill",
               Fields()
                   .add("kernel", flash ? "flash" : "naive")
                   .add("batch", s.batch)
                   .add("heads", s.heads)
                   .add("kv_heads", s.kv_heads)
                   .add("seq", s.seq_q)
                   .add("head_dim", s.head_dim)
                   .add("causal", s.causal)
                   .add("dtype", "bf16")
                   .add("flops", attention_flops(s))
                   .add("hbm_bytes", flash ? flash_bytes(s) : naive_attention_bytes(s)),
               "s", seconds);
  }
}

}  // namespace gpubench
