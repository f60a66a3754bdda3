#include "tasks/knn.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/check.h"

namespace cae {
namespace {

constexpr int64_t kQueriesPerBlock = 256;
constexpr int64_t kRowsPerBlock = 16384;

struct Neighbor {
  float similarity;
  int32_t row;
};

bool isNearer(const Neighbor& a, const Neighbor& b) {
  return a.similarity > b.similarity || (a.similarity == b.similarity && a.row < b.row);
}

/// The k nearest rows seen so far, as a heap with the farthest of them in front.
class Nearest {
 public:
  explicit Nearest(int64_t k) : k_(static_cast<size_t>(k)) { heap_.reserve(k_); }

  /// Takes the similarities of rows firstRow, firstRow + 1, ... Rows come in ascending order, so that of two equal ones
  /// the lower is already in and only a greater similarity may replace it.
  void add(std::span<const float> similarities, int64_t firstRow) {
    for (size_t i = 0; i < similarities.size(); ++i) {
      const Neighbor candidate = {.similarity = similarities[i],
                                  .row = static_cast<int32_t>(firstRow + static_cast<int64_t>(i))};
      if (heap_.size() == k_) {
        if (!(candidate.similarity > heap_.front().similarity)) continue;
        std::pop_heap(heap_.begin(), heap_.end(), isNearer);
        heap_.pop_back();
      }
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end(), isNearer);
    }
  }

  void write(int32_t* rows, float* similarities) {
    std::sort_heap(heap_.begin(), heap_.end(), isNearer);
    for (size_t i = 0; i < heap_.size(); ++i) {
      rows[i] = heap_[i].row;
      similarities[i] = heap_[i].similarity;
    }
  }

 private:
  size_t k_;
  std::vector<Neighbor> heap_;
};

void searchBlock(const at::Tensor& bank, const at::Tensor& queries, int64_t k, int32_t* rows, float* similarities) {
  const int64_t count = queries.size(0);
  std::vector<Nearest> nearest(static_cast<size_t>(count), Nearest(k));
  for (int64_t first = 0; first < bank.size(0); first += kRowsPerBlock) {
    const int64_t width = std::min(kRowsPerBlock, bank.size(0) - first);
    const at::Tensor products = at::mm(queries, bank.narrow(0, first, width).t());  // [queries, rows]
    const float* values = products.const_data_ptr<float>();
    at::parallel_for(0, count, 8, [&](int64_t begin, int64_t end) {
      for (int64_t q = begin; q < end; ++q) {
        nearest[static_cast<size_t>(q)].add({values + q * width, static_cast<size_t>(width)}, first);
      }
    });
  }
  for (int64_t q = 0; q < count; ++q) nearest[static_cast<size_t>(q)].write(rows + q * k, similarities + q * k);
}

}  // namespace

Neighbors nearestNeighbors(const at::Tensor& bank, const at::Tensor& queries, int64_t k) {
  CAE_CHECK(bank.dim() == 2 && queries.dim() == 2 && bank.size(1) == queries.size(1), "ERR_CAE_SHAPE",
            "nearest neighbours want a bank [M, C] and queries [Q, C], got ", bank.sizes(), " and ", queries.sizes());
  CAE_CHECK(bank.scalar_type() == at::kFloat && queries.scalar_type() == at::kFloat, "ERR_CAE_SHAPE",
            "nearest neighbours want float32, got ", bank.scalar_type(), " and ", queries.scalar_type());
  CAE_CHECK(k >= 1 && k <= bank.size(0), "ERR_CAE_OPTION", "k is ", k, ", the bank has ", bank.size(0), " rows");
  const at::NoGradGuard noGrad;
  const int64_t count = queries.size(0);
  Neighbors found = {.indices = at::empty({count, k}, at::kInt), .similarities = at::empty({count, k}, at::kFloat)};
  for (int64_t first = 0; first < count; first += kQueriesPerBlock) {
    const int64_t size = std::min(kQueriesPerBlock, count - first);
    searchBlock(bank, queries.narrow(0, first, size), k, found.indices.data_ptr<int32_t>() + first * k,
                found.similarities.data_ptr<float>() + first * k);
  }
  return found;
}

}  // namespace cae
