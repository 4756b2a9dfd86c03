// The microbenchmarks' own kernels, run on the CPU against plain references: their index arithmetic, masks
// and warp layouts. Timing, asynchronous copies and the launch code need a GPU (gpubench --check).
#include <catch2/catch.hpp>

#include "bench_emulator.h"
// After the emulator:
#include "calibrate/bench/host/reference.h"
#include "calibrate/bench/host/statistics.h"
#include "calibrate/bench/kernels/attention.cuh"
#include "calibrate/bench/kernels/memory.cuh"
#include "calibrate/bench/kernels/rows.cuh"

using namespace gpubench;
using emulator::launch;

namespace {

using Halves = std::vector<std::uint16_t>;

constexpr float log2_e = 1.44269504f;

// bf16 values in elements of 16 bytes, as the row kernels read them.
std::vector<uint4> octets(const Halves& values) {
  std::vector<uint4> result(values.size() / 8);
  std::memcpy(result.data(), values.data(), values.size() * 2);
  return result;
}
std::vector<double> doubles(const std::vector<uint4>& packed) {
  Halves values(packed.size() * 8);
  std::memcpy(values.data(), packed.data(), values.size() * 2);
  return as_doubles(values);
}

struct Inputs {
  explicit Inputs(const AttentionShape& s)
      : q(random_bf16(static_cast<std::size_t>(s.batch) * s.heads * s.seq_q * s.head_dim, 1)),
        k(random_bf16(static_cast<std::size_t>(s.batch) * s.kv_heads * s.seq_kv * s.head_dim, 2)),
        v(random_bf16(k.size(), 3)),
        out(q.size(), 0x7fc0),  // NaN: every element must be written
        expected(reference_attention(s, as_doubles(q), as_doubles(k), as_doubles(v))) {}
  double error() const { return relative_error(as_doubles(out), expected); }
  Halves q, k, v, out;
  Doubles expected;
};

template <int Dim, bool causal>
double flash_error(const AttentionShape& s) {
  Inputs x(s);
  const float scale = log2_e / std::sqrt(static_cast<float>(Dim));
  launch({static_cast<unsigned>(ceil_div(s.seq_q, tile_rows)), static_cast<unsigned>(s.heads),
          static_cast<unsigned>(s.batch)},
         attention_threads, attention_shared_bytes<Dim>, [&] {
           flash_attention<Dim, causal>(x.q.data(), x.k.data(), x.v.data(), x.out.data(), s.seq_q, s.seq_kv,
                                        s.kv_heads, scale);
         });
  return x.error();
}

template <int Dim>
double decode_error(const AttentionShape& s, int parts) {
  Inputs x(s);
  const std::size_t rows = static_cast<std::size_t>(s.batch) * s.heads;
  std::vector<float> outs(rows * parts * Dim, NAN), sums(rows * parts, NAN);
  const float scale = log2_e / std::sqrt(static_cast<float>(Dim));
  launch({static_cast<unsigned>(parts), static_cast<unsigned>(s.kv_heads), static_cast<unsigned>(s.batch)},
         attention_threads, attention_shared_bytes<Dim>, [&] {
           decode_attention<Dim>(x.q.data(), x.k.data(), x.v.data(), outs.data(), sums.data(),
                                 s.heads / s.kv_heads, s.seq_kv, scale);
         });
  launch({static_cast<unsigned>(rows), 1, 1}, Dim, 0,
         [&] { combine_parts(outs.data(), sums.data(), x.out.data(), parts); });
  return x.error();
}

}  // namespace

TEST_CASE("bench kernels: flash attention") {
  // Sizes that fill tiles, and sizes that do not; grouped heads; more keys than queries.
  CHECK(flash_error<64, false>({1, 2, 1, 64, 128, 64, false}) < 0.01);
  CHECK(flash_error<64, true>({1, 2, 2, 70, 70, 64, true}) < 0.01);
  CHECK(flash_error<64, true>({2, 1, 1, 5, 133, 64, true}) < 0.01);
  CHECK(flash_error<128, true>({1, 1, 1, 66, 66, 128, true}) < 0.01);
  CHECK(flash_error<128, false>({1, 1, 1, 3, 65, 128, false}) < 0.01);
}

TEST_CASE("bench kernels: decode attention") {
  CHECK(decode_error<128>({1, 4, 1, 1, 130, 128, false}, 2) < 0.01);
  CHECK(decode_error<64>({2, 2, 2, 1, 64, 64, false}, 1) < 0.01);
  CHECK(decode_error<64>({1, 16, 1, 1, 200, 64, false}, 3) < 0.01);
  CHECK(decode_error<64>({1, 2, 1, 1, 20, 64, false}, 3) < 0.01);  // two parts have nothing to do
}

TEST_CASE("bench kernels: tile products") {
  // Neither m, n nor k fills its tiles.
  const int m = 72, n = 88, k = 104;
  const Halves a = random_bf16(2 * m * k, 1), b = random_bf16(2 * n * k, 2);
  Halves b_columns(b.size()), c(2 * m * n);
  for (int z = 0; z < 2; ++z)
    for (int j = 0; j < n; ++j)
      for (int p = 0; p < k; ++p) b_columns[(z * k + p) * n + j] = b[(z * n + j) * k + p];
  Doubles expected;
  const Doubles da = as_doubles(a), db = as_doubles(b);
  for (int z = 0; z < 2; ++z) {
    const Doubles left(da.begin() + z * m * k, da.begin() + (z + 1) * m * k);
    const Doubles right(db.begin() + z * n * k, db.begin() + (z + 1) * n * k);
    for (double value : reference_linear(left, right, m, n, k)) expected.push_back(0.5 * value);
  }
  for (bool b_is_rows : {true, false}) {
    std::fill(c.begin(), c.end(), std::uint16_t{0x7fc0});
    launch({2, 2, 2}, attention_threads, product_shared_bytes, [&] {
      b_is_rows ? tile_product<true>(a.data(), b.data(), c.data(), m, n, k, 1, 0.5f)
                : tile_product<false>(a.data(), b_columns.data(), c.data(), m, n, k, 1, 0.5f);
    });
    CHECK(relative_error(as_doubles(c), expected) < 0.005);
  }
}

TEST_CASE("bench kernels: naive attention") {
  const AttentionShape s = {1, 2, 1, 8, 72, 64, true};
  Inputs x(s);
  Halves scores(static_cast<std::size_t>(s.heads) * s.seq_q * s.seq_kv);
  launch({2, 1, 2}, attention_threads, product_shared_bytes, [&] {
    tile_product<true>(x.q.data(), x.k.data(), scores.data(), s.seq_q, s.seq_kv, s.head_dim, 2, 0.125f);
  });
  auto rows = octets(scores);
  launch({16, 1, 1}, row_threads, 0,
         [&] { softmax(rows.data(), rows.data(), s.seq_kv, true, s.seq_q, s.seq_kv - s.seq_q); });
  std::memcpy(scores.data(), rows.data(), scores.size() * 2);
  launch({1, 1, 2}, attention_threads, product_shared_bytes, [&] {
    tile_product<false>(scores.data(), x.v.data(), x.out.data(), s.seq_q, s.head_dim, s.seq_kv, 2, 1.0f);
  });
  CHECK(x.error() < 0.02);
}

TEST_CASE("bench kernels: norms, softmax and elementwise") {
  const int rows = 2, cols = 2056;
  const Halves x = random_bf16(rows * cols, 1), w = random_bf16(cols, 2);
  const auto in = octets(x), weight = octets(w);
  std::vector<uint4> out(in.size());
  launch({2, 1, 1}, row_threads, 0, [&] { norm<false>(in.data(), weight.data(), out.data(), cols); });
  CHECK(relative_error(doubles(out), reference_rms_norm(as_doubles(x), as_doubles(w), rows, cols)) < 0.005);
  launch({2, 1, 1}, row_threads, 0, [&] { norm<true>(in.data(), weight.data(), out.data(), cols); });
  CHECK(relative_error(doubles(out), reference_layer_norm(as_doubles(x), as_doubles(w), rows, cols)) < 0.005);
  launch({2, 1, 1}, row_threads, 0, [&] { softmax(in.data(), out.data(), cols, false, rows, 0); });
  CHECK(relative_error(doubles(out), reference_softmax(as_doubles(x), rows, cols, [](int) { return cols; })) <
        0.005);
  launch({2, 1, 1}, row_threads, 0, [&] { softmax(in.data(), out.data(), cols, true, rows, 1000); });
  CHECK(relative_error(doubles(out),
                       reference_softmax(as_doubles(x), rows, cols, [](int r) { return r + 1001; })) < 0.005);

  const Halves a = random_bf16(8 * 40, 3), b = random_bf16(8 * 40, 4);
  const auto pa = octets(a), pb = octets(b);
  std::vector<uint4> sum(40);
  Doubles expected[3];
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double u = as_doubles(a)[i], v = as_doubles(b)[i];
    expected[0].push_back(u + v);
    expected[1].push_back(reference_gelu(u));
    expected[2].push_back(reference_silu_product(u, v));
  }
  launch({2, 1, 1}, 32, 0, [&] { pointwise<Pointwise::add>(pa.data(), pb.data(), sum.data(), 40); });
  CHECK(relative_error(doubles(sum), expected[0]) < 0.005);
  launch({2, 1, 1}, 32, 0, [&] { pointwise<Pointwise::gelu>(pa.data(), nullptr, sum.data(), 40); });
  CHECK(relative_error(doubles(sum), expected[1]) < 0.005);
  launch({2, 1, 1}, 32, 0, [&] { pointwise<Pointwise::silu_product>(pa.data(), pb.data(), sum.data(), 40); });
  CHECK(relative_error(doubles(sum), expected[2]) < 0.005);
}

TEST_CASE("bench kernels: streams move everything") {
  const unsigned threads = 64;
  for (unsigned count : {40u, 64u, 1000u}) {  // fewer elements than threads, as many, more
    CAPTURE(count);
    const unsigned step = walk_step(count, threads);
    const unsigned rounds = count / (4 * threads) + 1;
    std::vector<uint4> source(count), target(count);
    for (unsigned i = 0; i < count; ++i) source[i] = {i, 0, 0, 0x3f800000u + i};
    std::vector<unsigned> sink(threads, 0);
    const auto run = [&](auto kernel) {
      launch({2, 1, 1}, threads / 2, 0,
             [&] { kernel(source.data(), target.data(), count, step, rounds, true, sink.data()); });
    };
    run(stream<Traffic::copy>);
    CHECK(std::memcmp(source.data(), target.data(), count * sizeof(uint4)) == 0);
    run(stream<Traffic::scale>);
    for (unsigned i = 0; i < count; ++i) REQUIRE(target[i].w == source[i].w + 0x00800000u);  // exponent + 1
    run(stream<Traffic::write>);
    for (unsigned i = 0; i < count; ++i) REQUIRE(target[i].z == i);
    run(stream<Traffic::read>);
    for (unsigned t = 0; t < threads; ++t) {
      unsigned seen = 0, at = t % count;
      for (unsigned load = 0; load < 4 * rounds; ++load, at = (at + step) % count)
        seen ^= source[at].x ^ source[at].w;
      CHECK(sink[t] == seen);
    }
  }
}

TEST_CASE("bench kernels: loads in flight and strides read what they should") {
  std::vector<uint4> wide(2 * 64 * 4);
  std::vector<unsigned> narrow(1000), sink(64);
  Random random(5);
  for (auto& e : wide) e = {static_cast<unsigned>(random.next()), 1, 2, 3};
  for (auto& e : narrow) e = static_cast<unsigned>(random.next());
  unsigned expected = 0, total = 0;
  launch({2, 1, 1}, 32, 0, [&] { read_in_flight<uint4, 4>(wide.data(), 2, true, sink.data()); });
  for (const uint4& e : wide) expected ^= e.x ^ 1u ^ 2u ^ 3u;
  for (unsigned s : sink) total ^= s;
  CHECK(total == expected);

  launch({2, 1, 1}, 32, 0, [&] { read_strided(narrow.data(), 3, 7, true, sink.data()); });
  expected = total = 0;
  for (unsigned i = 0; i < 4 * 64; ++i) expected ^= narrow[7 + 3 * i];
  for (unsigned s : sink) total ^= s;
  CHECK(total == expected);
}

TEST_CASE("bench kernels: chains, banks and the all-reduce step") {
  const std::uint32_t count = 37;
  const auto next = random_cycle(count, 3);
  std::vector<unsigned> lines(count * line_words), spent(hops_most + 1);
  launch({2, 1, 1}, 32, 0, [&] { lay_out_chain(next.data(), lines.data(), count); });
  unsigned position = 5;
  unsigned long long clocks[2];
  launch({1, 1, 1}, 1, 0, [&] { chase(lines.data(), &position, 10, 27, clocks); });
  CHECK(position == 5);  // once round
  launch({1, 1, 1}, 1, 0, [&] { chase(lines.data(), &position, 0, 1, clocks); });
  CHECK(position == next[5]);
  launch({1, 1, 1}, 1, 0, [&] { chase_each(lines.data(), count, spent.data()); });
  CHECK(spent[count] == 0);

  std::vector<unsigned> ends(64);
  for (unsigned stride : {0u, 1u, 33u}) {
    launch({1, 1, 1}, 64, 0, [&] { load_banks(stride, 20, clocks, ends.data()); });
    for (unsigned t = 0; t < 64; ++t) CHECK(ends[t] == t % 32 * stride);
  }

  std::vector<float4> a(100, {1, 2, 3, 4}), b(100, {5, 6, 7, 8}), out(100);
  launch({2, 1, 1}, 32, 0, [&] { reduce_copy(a.data(), b.data(), out.data(), 100, 2); });
  for (const float4& sum : out) CHECK((sum.x == 6 && sum.y == 8 && sum.z == 10 && sum.w == 12));
}
