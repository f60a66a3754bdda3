#include <numeric>
#include <utility>
#include <vector>

#include "image/mask.h"

namespace cae {

void drawRandomMask(const MaskConfig& c, Draws& draws, std::span<bool> mask) {
  // The first `count` steps of a Fisher-Yates shuffle.
  std::vector<int64_t> places(static_cast<size_t>(c.patches()));
  std::iota(places.begin(), places.end(), 0);
  for (int64_t i = 0; i < c.count; ++i) {
    std::swap(places[static_cast<size_t>(i)], places[static_cast<size_t>(draws.integer(i, c.patches() - 1))]);
    mask[static_cast<size_t>(places[static_cast<size_t>(i)])] = true;
  }
}

}  // namespace cae
