#include <algorithm>
#include <cmath>

#include "image/mask.h"

namespace cae {
namespace {

constexpr double kMinAspect = 0.3;  // height / width of a block lies within this and its inverse
constexpr int kTriesPerBlock = 10;
/// Blocks in a row that covered nothing new before a configuration counts as impossible. The authors' settings need
/// about six rounds for a whole mask; this many take some milliseconds.
constexpr int kMaxFruitless = 10000;

/// One try: a rectangle that hides 1..`most` new patches is set, and their number returned; else nothing changes.
int64_t tryBlock(const MaskConfig& c, int64_t most, Draws& draws, std::span<bool> mask) {
  const double area = draws.uniform(static_cast<double>(c.minBlock), static_cast<double>(most));
  const double aspect = std::exp(draws.uniform(std::log(kMinAspect), std::log(1 / kMinAspect)));
  // nearbyint rounds half to even, as Python's round does
  const auto height = static_cast<int64_t>(std::nearbyint(std::sqrt(area * aspect)));
  const auto width = static_cast<int64_t>(std::nearbyint(std::sqrt(area / aspect)));
  if (width >= c.gridWidth || height >= c.gridHeight) return 0;
  const int64_t top = draws.integer(0, c.gridHeight - height);
  const int64_t left = draws.integer(0, c.gridWidth - width);
  const auto row = [&](int64_t y) {
    return mask.subspan(static_cast<size_t>((top + y) * c.gridWidth + left), static_cast<size_t>(width));
  };
  int64_t added = height * width;
  for (int64_t y = 0; y < height; ++y) added -= std::ranges::count(row(y), true);
  if (added <= 0 || added > most) return 0;
  for (int64_t y = 0; y < height; ++y) std::ranges::fill(row(y), true);
  return added;
}

}  // namespace

void drawBlockMask(const MaskConfig& c, Draws& draws, std::span<bool> mask) {
  int fruitless = 0;
  for (int64_t count = 0; count != c.count;) {
    const int64_t left = c.count - count;
    const int64_t most = c.maxBlock == 0 ? left : std::min(left, c.maxBlock);
    int64_t added = 0;
    for (int tries = 0; tries < kTriesPerBlock && added == 0; ++tries) added = tryBlock(c, most, draws, mask);
    count += added;
    fruitless = added == 0 ? fruitless + 1 : 0;
    if (fruitless == kMaxFruitless) {
      throw Error("ERR_CAE_OPTION",
                  text("no block mask hides ", c.count, " of ", c.gridHeight, " x ", c.gridWidth,
                       " patches in blocks of at least ", c.minBlock, ": blocks fit no more after ", count),
                  "maskCount, maskMinBlock, maskMaxBlock",
                  "a smaller maskMinBlock or maskCount, or maskShape 'random'");
    }
  }
}

}  // namespace cae
