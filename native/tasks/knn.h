#pragma once

#include <ATen/core/Tensor.h>

namespace cae {

/// The rows of a bank that lie nearest to each query, best first; equal similarities in the order of the rows.
struct Neighbors {
  at::Tensor indices;       // int32 [Q, k]
  at::Tensor similarities;  // float32 [Q, k], dot products
};

/// Exact search by dot product, for rows that are already normalised (spec/downstream.md 2.3). Works in blocks: memory
/// beside the result stays below 32 MB whatever the sizes.
/// bank: float32 [M, C] on the CPU; queries: float32 [Q, C]; all finite; k: 1..M.
Neighbors nearestNeighbors(const at::Tensor& bank, const at::Tensor& queries, int64_t k);

}  // namespace cae
