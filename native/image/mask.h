#pragma once

#include <cstdint>
#include <span>

#include "image/draws.h"

namespace cae {

enum class MaskShape { kBlock, kRandom };

/// Which patches of an image are hidden (spec/cae.md 4).
struct MaskConfig {
  MaskShape shape;
  int64_t gridHeight, gridWidth;  // in patches
  int64_t count;                  // hidden patches, exactly
  int64_t minBlock, maxBlock;     // patches of one block; maxBlock 0: as many as are still to hide

  int64_t patches() const { return gridHeight * gridWidth; }
};

/// Refuses a configuration that no mask can meet: ERR_CAE_OPTION.
void checkMask(const MaskConfig& config);

/// Writes a mask of `config.count` ones into the zeroed `mask` [gridHeight · gridWidth], rows from the top.
/// ERR_CAE_OPTION when the blocks asked for cannot cover that many patches.
void drawMask(const MaskConfig& config, Draws& draws, std::span<bool> mask);

/// Rectangles of random size, shape and place until exactly `count` patches are hidden (spec/cae.md 4.1).
void drawBlockMask(const MaskConfig& config, Draws& draws, std::span<bool> mask);

/// `count` patches, every set of them equally likely (spec/cae.md 4.3).
void drawRandomMask(const MaskConfig& config, Draws& draws, std::span<bool> mask);

}  // namespace cae
