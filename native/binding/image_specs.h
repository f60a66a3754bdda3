#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "image/collate.h"

namespace cae::binding {

/// MaskSpec, CropSpec and CollateSpec of src/native/types.ts.
MaskConfig maskConfigFromJs(const Napi::Value& value);
CropConfig cropConfigFromJs(const Napi::Value& value);
CollateConfig collateConfigFromJs(const Napi::Value& value);

/// A handle that tells the garbage collector how much memory it stands for.
Napi::Value batchToJs(Napi::Env env, const std::shared_ptr<Batch>& batch);

/// 'bilinear' or 'bicubic'.
Interpolation interpolationFromWord(const std::string& word);

/// A DecodedSample whose pixels are read in place: ERR_CAE_SHAPE when they do not fit width and height. `name` is what
/// the message calls it. Who reads it off the JS thread keeps its `data` alive.
Sample sampleFromJs(const Napi::Value& value, const std::string& name);

/// Whole numbers of 0..2^32 - 1: keys of random draws.
uint32_t drawKey(double value, const char* name);
uint64_t seedFrom(double value);

}  // namespace cae::binding
