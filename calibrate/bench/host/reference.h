// What the kernels must compute, in double and as plainly as possible. Matrices are row-major.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "arithmetic.h"

namespace gpubench {

using Doubles = std::vector<double>;

// y[m, n] = x[m, k] w[n, k]^T
inline Doubles reference_linear(const Doubles& x, const Doubles& w, int m, int n, int k) {
  Doubles y(static_cast<std::size_t>(m) * n);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int p = 0; p < k; ++p)
        sum += x[static_cast<std::size_t>(i) * k + p] * w[static_cast<std::size_t>(j) * k + p];
      y[static_cast<std::size_t>(i) * n + j] = sum;
    }
  return y;
}

// Each row of `cols`: softmax over its first valid(row) entries, 0 behind them.
template <class Valid>
Doubles reference_softmax(const Doubles& x, int rows, int cols, Valid valid) {
  Doubles y(x.size(), 0.0);
  for (int r = 0; r < rows; ++r) {
    const std::size_t start = static_cast<std::size_t>(r) * cols;
    const int count = valid(r);
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int c = 0; c < count; ++c) largest = std::max(largest, x[start + c]);
    for (int c = 0; c < count; ++c) sum += y[start + c] = std::exp(x[start + c] - largest);
    for (int c = 0; c < count; ++c) y[start + c] /= sum;
  }
  return y;
}

// Q, O are [batch, heads, seq_q, dim]; K, V are [batch, kv_heads, seq_kv, dim]; scores scaled by 1/sqrt(dim).
// Causal: query i sees the keys up to i + seq_kv - seq_q.
inline Doubles reference_attention(const AttentionShape& s, const Doubles& q, const Doubles& k,
                                   const Doubles& v) {
  const std::size_t dim = s.head_dim;
  Doubles out(q.size());
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h) {
      const std::size_t head = static_cast<std::size_t>(b) * s.heads + h;
      const std::size_t kv_head = static_cast<std::size_t>(b) * s.kv_heads + h / (s.heads / s.kv_heads);
      const double* kh = &k[kv_head * s.seq_kv * dim];
      const double* vh = &v[kv_head * s.seq_kv * dim];
      for (int i = 0; i < s.seq_q; ++i) {
        const double* qi = &q[(head * s.seq_q + i) * dim];
        double* oi = &out[(head * s.seq_q + i) * dim];
        const int visible = s.causal ? i + 1 + s.seq_kv - s.seq_q : s.seq_kv;
        Doubles scores(visible);
        for (int j = 0; j < visible; ++j) {
          double dot = 0;
          for (std::size_t d = 0; d < dim; ++d) dot += qi[d] * kh[j * dim + d];
          scores[j] = dot / std::sqrt(static_cast<double>(dim));
        }
        scores = reference_softmax(scores, 1, visible, [&](int) { return visible; });
        for (std::size_t d = 0; d < dim; ++d) oi[d] = 0;
        for (int j = 0; j < visible; ++j)
          for (std::size_t d = 0; d < dim; ++d) oi[d] += scores[j] * vh[j * dim + d];
      }
    }
  return out;
}

// y = x / sqrt(mean(x^2) + 1e-5) * weight, by row
inline Doubles reference_rms_norm(const Doubles& x, const Doubles& weight, int rows, int cols) {
  Doubles y(x.size());
  for (int r = 0; r < rows; ++r) {
    const std::size_t start = static_cast<std::size_t>(r) * cols;
    double squares = 0;
    for (int c = 0; c < cols; ++c) squares += x[start + c] * x[start + c];
    const double scale = 1 / std::sqrt(squares / cols + 1e-5);
    for (int c = 0; c < cols; ++c) y[start + c] = x[start + c] * scale * weight[c];
  }
  return y;
}

// y = (x - mean) / sqrt(variance + 1e-5) * weight, by row
inline Doubles reference_layer_norm(const Doubles& x, const Doubles& weight, int rows, int cols) {
  Doubles y(x.size());
  for (int r = 0; r < rows; ++r) {
    const std::size_t start = static_cast<std::size_t>(r) * cols;
    double sum = 0, squares = 0;
    for (int c = 0; c < cols; ++c) sum += x[start + c];
    const double mean = sum / cols;
    for (int c = 0; c < cols; ++c) squares += (x[start + c] - mean) * (x[start + c] - mean);
    const double scale = 1 / std::sqrt(squares / cols + 1e-5);
    for (int c = 0; c < cols; ++c) y[start + c] = (x[start + c] - mean) * scale * weight[c];
  }
  return y;
}

inline double reference_gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}
inline double reference_silu_product(double gate, double up) { return gate / (1 + std::exp(-gate)) * up; }

}  // namespace gpubench
