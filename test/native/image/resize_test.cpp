// The resize against the formula in double precision, on every size that upsets vectors and rings; for sanitizers too:
// the source is a heap block of exactly its own size.
#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

/// Keys' cubic (a = -0.5) stretched by the reduction, as resample.cpp has it, but in one place and without fixed point.
std::vector<double> weightsAt(int64_t input, int64_t output, int64_t i) {
  const double scale = static_cast<double>(input) / static_cast<double>(output), stretch = std::max(scale, 1.0);
  std::vector<double> weights(static_cast<size_t>(input));
  double sum = 0;
  for (int64_t p = 0; p < input; ++p) {
    const double x = std::abs((static_cast<double>(p) + 0.5 - (static_cast<double>(i) + 0.5) * scale) / stretch);
    const double w = x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
    sum += weights[static_cast<size_t>(p)] = w;
  }
  for (double& w : weights) w /= sum;
  return weights;
}

double toByte(double v) { return std::clamp(std::floor(v + 0.5), 0.0, 255.0); }

/// Worst difference of one channel of the whole output from the two-pass formula.
double worstDifference(int64_t height, int64_t width, int64_t outHeight, int64_t outWidth, uint32_t seed) {
  RngStream random({.seed = seed, .purpose = Purpose::kJitter, .time = 0, .index = 0});
  std::vector<uint8_t> pixels(static_cast<size_t>(3 * height * width));
  for (auto& v : pixels) v = static_cast<uint8_t>(random.integer(0, 255));
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  std::vector<double> between(at(height * outWidth));
  for (int64_t x = 0; x < outWidth; ++x) {
    const auto weights = weightsAt(width, outWidth, x);
    for (int64_t y = 0; y < height; ++y) {
      double sum = 0;
      for (int64_t p = 0; p < width; ++p) sum += weights[at(p)] * pixels[at(3 * (y * width + p) + 2)];
      between[at(y * outWidth + x)] = toByte(sum);
    }
  }
  Resize resize({.data = pixels.data(), .height = height, .width = width, .rowBytes = 3 * width},
                {.height = outHeight,
                 .width = outWidth,
                 .box = {.top = 0, .left = 0, .height = outHeight, .width = outWidth},
                 .interpolation = Interpolation::kBicubic,
                 .isFlipped = false});
  std::vector<uint8_t> row(at(resize.rowBytes()));
  double worst = 0;
  for (int64_t y = 0; y < outHeight; ++y) {
    resize.nextRow(row.data());
    const auto weights = weightsAt(height, outHeight, y);
    for (int64_t x = 0; x < outWidth; ++x) {
      double sum = 0;
      for (int64_t p = 0; p < height; ++p) sum += weights[at(p)] * between[at(p * outWidth + x)];
      worst = std::max(worst, std::abs(toByte(sum) - row[at(4 * x + 2)]));
    }
  }
  return worst;
}

/// Rounded twice in other places than the fixed point rounds: a byte may differ by one.
void followsTheFormula() {
  const int64_t sides[] = {1, 2, 3, 5, 8, 31, 64, 90};
  uint32_t seed = 0;
  for (const int64_t from : sides) {
    for (const int64_t to : sides) {
      const double worst = std::max(worstDifference(from, 7, to, 9, seed), worstDifference(7, from, 9, to, seed));
      ++seed;
      CAE_CHECK(worst <= 1, "TEST", from, " to ", to, " pixels differs by ", worst);
    }
  }
}

/// Only what a centre crop needs is made, and it is the middle of the whole.
void aPartIsThePartOfTheWhole() {
  RngStream random({.seed = 1, .purpose = Purpose::kJitter, .time = 0, .index = 0});
  std::vector<uint8_t> pixels(3 * 40 * 50);
  for (auto& v : pixels) v = static_cast<uint8_t>(random.integer(0, 255));
  const ImageView image = {.data = pixels.data(), .height = 40, .width = 50, .rowBytes = 150};
  const auto plan = [](Box box) {
    return ResizePlan{
        .height = 33, .width = 21, .box = box, .interpolation = Interpolation::kBicubic, .isFlipped = false};
  };
  Resize whole(image, plan({.top = 0, .left = 0, .height = 33, .width = 21}));
  Resize part(image, plan({.top = 11, .left = 6, .height = 13, .width = 10}));
  std::vector<uint8_t> wanted(static_cast<size_t>(whole.rowBytes())), got(static_cast<size_t>(part.rowBytes()));
  for (int64_t y = 0; y < 11; ++y) whole.nextRow(wanted.data());
  for (int64_t y = 0; y < 13; ++y) {
    whole.nextRow(wanted.data());
    part.nextRow(got.data());
    for (size_t i = 0; i < 40; ++i) {
      CAE_CHECK(i % 4 == 3 || got[i] == wanted[24 + i], "TEST", "row ", y, " differs at byte ", i);
    }
  }
}

}  // namespace

int main() {
  return runAll({{"an antialiased bicubic resize follows its formula at any size", followsTheFormula},
                 {"a part of an output is the part of the whole", aPartIsThePartOfTheWhole}});
}
