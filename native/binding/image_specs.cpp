#include "binding/image_specs.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/config_reader.h"
#include "binding/args.h"
#include "binding/handles.h"

namespace cae::binding {
namespace {

Napi::Object objectFrom(const Napi::Value& value, const std::string& name) {
  CAE_CHECK(value.IsObject(), "ERR_CAE_INTERNAL", name, " is not an object");
  return value.As<Napi::Object>();
}

std::array<double, 3> three(ConfigReader& reader, const std::string& key) {
  const std::vector<double> list = reader.reals(key, 3);
  return {list[0], list[1], list[2]};
}

CropConfig readCropRange(ConfigReader& reader, bool oneTry) {
  return {.oneTry = oneTry,
          .scaleMin = reader.real("scaleMin"),
          .scaleMax = reader.real("scaleMax"),
          .ratioMin = reader.real("ratioMin"),
          .ratioMax = reader.real("ratioMax")};
}

/// A whole number of an image's own, such as its width.
int64_t wholeNumber(const Napi::Object& object, const char* key, const std::string& name, double min, double max) {
  const Napi::Value value = object.Get(key);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  CAE_CHECK(number >= min && number <= max && std::floor(number) == number, "ERR_CAE_SHAPE", name, ".", key, " is ",
            value.ToString().Utf8Value(), ", not a whole number of ", min, " to ", max);
  return static_cast<int64_t>(number);
}

}  // namespace

Interpolation interpolationFromWord(const std::string& word) {
  if (word == "bilinear") return Interpolation::kBilinear;
  if (word == "bicubic") return Interpolation::kBicubic;
  if (word == "lanczos") return Interpolation::kLanczos;
  throw Error("ERR_CAE_OPTION", text("interpolation '", word, "' is none of 'bicubic', 'bilinear' and 'lanczos'"));
}

uint32_t drawKey(double value, const char* name) {
  CAE_CHECK(value >= 0 && value <= 4294967295.0 && std::floor(value) == value, "ERR_CAE_OPTION", name, " ", value,
            " is not a whole number of 32 bits");
  return static_cast<uint32_t>(value);
}

uint64_t seedFrom(double value) {
  CAE_CHECK(value >= 0 && value <= 9007199254740991.0 && std::floor(value) == value, "ERR_CAE_OPTION", "seed ", value,
            " is not a whole number of 0 to 2^53 - 1");
  return static_cast<uint64_t>(value);
}

MaskConfig maskConfigFromJs(const Napi::Value& value) {
  const Config config = configFromJs(objectFrom(value, "mask"));
  ConfigReader reader(config, "mask");
  const MaskConfig mask = {
      .shape = reader.choice("shape", {"block", "random"}) == 0 ? MaskShape::kBlock : MaskShape::kRandom,
      .gridHeight = reader.integer("gridHeight"),
      .gridWidth = reader.integer("gridWidth"),
      .count = reader.integer("count"),
      .minBlock = reader.integer("minBlock"),
      .maxBlock = reader.integer("maxBlock")};
  reader.done();
  checkMask(mask);
  return mask;
}

CropConfig cropConfigFromJs(const Napi::Value& value) {
  const Config config = configFromJs(objectFrom(value, "crop"));
  ConfigReader reader(config, "crop");
  const CropConfig crop = readCropRange(reader, reader.choice("crop", {"random", "random-one-try"}) == 1);
  reader.done();
  checkCrop(crop);
  return crop;
}

CollateConfig collateConfigFromJs(const Napi::Value& value) {
  const Napi::Object object = objectFrom(value, "collate");
  const Config config = configFromJs(object, "mask");
  ConfigReader reader(config, "collate");
  constexpr CropMode modes[] = {CropMode::kRandom, CropMode::kRandom, CropMode::kCenter, CropMode::kNone};
  const int64_t crop = reader.choice("crop", {"random", "random-one-try", "center", "none"});
  CollateConfig collate = {.seed = seedFrom(reader.real("seed")),
                           .epoch = drawKey(reader.real("epoch"), "epoch"),
                           .height = reader.integer("height"),
                           .width = reader.integer("width"),
                           .viewHeight = reader.integer("viewHeight"),
                           .viewWidth = reader.integer("viewWidth"),
                           .viewInterpolation = interpolationFromWord(reader.word("viewInterpolation")),
                           .crop = modes[crop],
                           .randomCrop = readCropRange(reader, crop == 1),
                           .resizeShort = reader.integer("resizeShort"),
                           .flip = reader.real("flip"),
                           .interpolation = interpolationFromWord(reader.word("interpolation")),
                           .mean = three(reader, "mean"),
                           .std = three(reader, "std"),
                           .mask = std::nullopt};
  reader.done();
  const Napi::Value mask = object.Get("mask");
  if (!mask.IsNull()) collate.mask = maskConfigFromJs(mask);
  return collate;
}

Napi::Value batchToJs(Napi::Env env, const std::shared_ptr<Batch>& batch) {
  int64_t bytes = 0;
  for (const at::Tensor& t :
       {batch->images, batch->mask, batch->ids, batch->labels, batch->view, batch->latents, batch->noise}) {
    if (t.defined()) bytes += static_cast<int64_t>(t.nbytes());
  }
  return makeHandle(env, HandleKind::kBatch, batch, nullptr, bytes);
}

Sample sampleFromJs(const Napi::Value& value, const std::string& name) {
  const Napi::Object object = objectFrom(value, name);
  const int64_t height = wholeNumber(object, "height", name, 1, 1e9);
  const int64_t width = wholeNumber(object, "width", name, 1, 1e9);
  const Napi::Value data = object.Get("data");
  CAE_CHECK(data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "ERR_CAE_SHAPE",
            name, ".data is not a Uint8Array");
  const auto bytes = data.As<Napi::Uint8Array>();
  CAE_CHECK(bytes.ElementLength() == static_cast<size_t>(3 * height * width), "ERR_CAE_SHAPE", name, ".data has ",
            bytes.ElementLength(), " bytes, an RGB image of ", width, " x ", height, " has ", 3 * height * width);
  return {.pixels = {.data = bytes.Data(), .height = height, .width = width, .rowBytes = 3 * width},
          .index = static_cast<uint32_t>(wholeNumber(object, "index", name, 0, 4294967295.0)),
          .label = static_cast<int32_t>(wholeNumber(object, "label", name, -1, 2147483647.0))};
}

}  // namespace cae::binding
