#include <ATen/ATen.h>

#include "binding/args.h"
#include "binding/bindings.h"
#include "binding/image_specs.h"
#include "binding/share_out.h"
#include "binding/submit.h"
#include "binding/to_js.h"

namespace cae::binding {
namespace {

/// A list that must not be anything else.
Napi::Array listFrom(Args& args, size_t position, const char* name) {
  const Napi::Value value = args.value(position);
  CAE_CHECK(value.IsArray(), "ERR_CAE_INTERNAL", name, " is not a list");
  return value.As<Napi::Array>();
}

std::vector<uint32_t> indicesFrom(Args& args, size_t position) {
  const Napi::Array list = listFrom(args, position, "indices");
  std::vector<uint32_t> indices(list.Length());
  for (uint32_t i = 0; i < list.Length(); ++i) indices[i] = drawKey(list.Get(i).ToNumber().DoubleValue(), "index");
  return indices;
}

std::vector<double> drawsFrom(Args& args, size_t position) {
  const Napi::Value value = args.value(position);
  const bool fits = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array;
  CAE_CHECK(fits, "ERR_CAE_INTERNAL", "recorded draws are not a Float64Array");
  const auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

/// Keeps the arrays of a tensor that is read in place.
at::Tensor inPlace(const Napi::Value& value, const char* name, KeepAlive& keep) {
  if (value.IsUndefined() || value.IsNull()) return {};
  const at::Tensor tensor = tensorInPlace(value, name);
  keep.add(value.As<Napi::Object>().Get("data").As<Napi::Object>());
  return tensor;
}

[[noreturn]] void refuse(const char* argument, const at::Tensor& got, const std::string& wanted) {
  throw Error("ERR_CAE_SHAPE", text(argument, " is ", got.scalar_type(), " ", got.sizes(), ", wanted ", wanted),
              argument);
}

/// Copies what a user gave, after a look at types, shapes and values.
Batch batchFrom(const at::Tensor& images, const at::Tensor& mask, const at::Tensor& ids, const at::Tensor& noise,
                const at::Tensor& latents) {
  const bool isImages = images.defined() && images.dim() == 4 && images.size(1) == 3 && images.numel() > 0 &&
                        (images.scalar_type() == at::kByte || images.scalar_type() == at::kFloat);
  if (!images.defined()) throw Error("ERR_CAE_SHAPE", "a batch without images", "images");
  if (!isImages) refuse("images", images, "uint8 or float32 [B, 3, H, W]");
  Batch batch = {.images = images.clone(), .mask = {}, .ids = {}, .labels = {}, .view = {}, .latents = {}, .noise = {}};
  const std::string perPatch = text("[", images.size(0), ", N]");
  if (mask.defined()) {
    if (mask.dim() != 2 || mask.size(0) != images.size(0) || mask.scalar_type() != at::kByte)
      refuse("mask", mask, "uint8 " + perPatch);
    CAE_CHECK(mask.numel() == 0 || mask.max().item<uint8_t>() <= 1, "ERR_CAE_SHAPE",
              "mask holds something other than 0 and 1");
    batch.mask = mask.to(at::kBool);
  }
  if (ids.defined()) {
    if (ids.dim() != 2 || ids.size(0) != images.size(0) || ids.scalar_type() != at::kInt)
      refuse("ids", ids, "int32 " + perPatch);
    CAE_CHECK(ids.numel() == 0 || ids.min().item<int32_t>() >= 0, "ERR_CAE_SHAPE", "ids holds a negative number");
    CAE_CHECK(!mask.defined() || mask.size(1) == ids.size(1), "ERR_CAE_SHAPE", "mask is for ", mask.size(1),
              " patches, ids for ", ids.size(1));
    batch.ids = ids.clone();
  }
  if (noise.defined()) {
    if (noise.dim() != 4 || noise.size(0) != images.size(0) || noise.scalar_type() != at::kFloat)
      refuse("noise", noise, text("float32 [", images.size(0), ", V, h, w]"));
    batch.noise = noise.clone();
  }
  if (latents.defined()) {
    if (latents.dim() != 3 || latents.size(0) != images.size(0) || latents.scalar_type() != at::kFloat)
      refuse("latents", latents, text("float32 [", images.size(0), ", 1 + N, C]"));
    batch.latents = latents.clone();
  }
  return batch;
}

at::Tensor resized(const ImageView& image, int64_t height, int64_t width, Interpolation interpolation) {
  CAE_CHECK(height > 0 && width > 0, "ERR_CAE_OPTION", "a size of ", height, " x ", width, " pixels");
  Resize resize(image, {.height = height,
                        .width = width,
                        .box = {.top = 0, .left = 0, .height = height, .width = width},
                        .interpolation = interpolation,
                        .isFlipped = false});
  const at::Tensor rows = at::empty({height, resize.rowBytes()}, at::kByte);
  for (int64_t y = 0; y < height; ++y) resize.nextRow(rows.mutable_data_ptr<uint8_t>() + y * resize.rowBytes());
  return rows.narrow(1, 0, 4 * width).unflatten(1, {width, 4}).narrow(2, 0, 3).contiguous();
}

at::Tensor boxTensor(const Box& box) { return at::tensor({box.top, box.left, box.height, box.width}, at::kInt); }

}  // namespace

Napi::Value collate(const Napi::CallbackInfo& info) {
  Args args(info, "collate");
  const Napi::Array list = listFrom(args, 0, "samples");
  CAE_CHECK(list.Length() > 0, "ERR_CAE_SHAPE", "a batch of no samples");
  const CollateConfig config = collateConfigFromJs(args.value(1));
  args.done();
  std::vector<Sample> samples;
  samples.reserve(list.Length());
  KeepAlive keep;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value entry = list.Get(i);
    samples.push_back(sampleFromJs(entry, text("sample ", i)));
    keep.add(entry.As<Napi::Object>().Get("data").As<Napi::Object>());
  }
  const auto executor = EnvData::of(info.Env()).images();
  return submit(
      info.Env(), executor,
      [executor, config, samples = std::move(samples)]() mutable {
        const auto collation = std::make_shared<Collation>(config, std::move(samples));
        shareOut(*executor, collation->size(), [collation](int64_t i) { collation->fill(i); });
        return std::make_shared<Batch>(collation->batch());
      },
      batchToJs, std::move(keep));
}

Napi::Value createBatch(const Napi::CallbackInfo& info) {
  Args args(info, "createBatch");
  KeepAlive keep;
  const at::Tensor images = inPlace(args.value(0), "images", keep);
  const at::Tensor mask = inPlace(args.value(1), "mask", keep);
  const at::Tensor ids = inPlace(args.value(2), "ids", keep);
  const at::Tensor noise = inPlace(args.value(3), "noise", keep);
  const at::Tensor latents = inPlace(args.value(4), "latents", keep);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).images(),
      [=] { return std::make_shared<Batch>(batchFrom(images, mask, ids, noise, latents)); }, batchToJs,
      std::move(keep));
}

Napi::Value joinBatches(const Napi::CallbackInfo& info) {
  Args args(info, "joinBatches");
  const auto parts = args.handles<Batch>(0, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).images(),
      [parts] { return std::make_shared<Batch>(cae::joinBatches(parts)); }, batchToJs);
}

Napi::Value readBatch(const Napi::CallbackInfo& info) {
  Args args(info, "readBatch");
  const auto batch = args.handle<Batch>(0, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).images(), [batch] { return *batch; },
      [](Napi::Env env, const Batch& tensors) {
        const auto orNull = [&](const at::Tensor& t) { return t.defined() ? tensorToJs(env, t) : env.Null(); };
        Napi::Object out = Napi::Object::New(env);
        out.Set("images", orNull(tensors.images));
        out.Set("mask", orNull(tensors.mask));
        out.Set("ids", orNull(tensors.ids));
        out.Set("labels", orNull(tensors.labels));
        return out;
      });
}

Napi::Value resizeImage(const Napi::CallbackInfo& info) {
  Args args(info, "resizeImage");
  const Napi::Value image = args.value(0);
  const Sample sample = sampleFromJs(image, "image");
  const int64_t height = args.integer(1), width = args.integer(2);
  const Interpolation interpolation = interpolationFromWord(args.text(3));
  args.done();
  KeepAlive keep;
  keep.add(image.As<Napi::Object>().Get("data").As<Napi::Object>());
  return submit(
      info.Env(), EnvData::of(info.Env()).images(),
      [=] { return resized(sample.pixels, height, width, interpolation); }, tensorToJs, std::move(keep));
}

Napi::Value drawMasks(const Napi::CallbackInfo& info) {
  Args args(info, "drawMasks");
  const MaskConfig mask = maskConfigFromJs(args.value(0));
  const uint64_t seed = seedFrom(args.real(1));
  const uint32_t epoch = drawKey(args.real(2), "epoch");
  const auto indices = indicesFrom(args, 3);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).images(),
      [=] {
        const at::Tensor out = at::zeros({static_cast<int64_t>(indices.size()), mask.patches()}, at::kBool);
        const auto patches = static_cast<size_t>(mask.patches());
        for (size_t i = 0; i < indices.size(); ++i) {
          KeyedDraws draws({.seed = seed, .purpose = Purpose::kMask, .time = epoch, .index = indices[i]});
          drawMask(mask, draws, {out.mutable_data_ptr<bool>() + i * patches, patches});
        }
        return out;
      },
      tensorToJs);
}

Napi::Value drawCrops(const Napi::CallbackInfo& info) {
  Args args(info, "drawCrops");
  const CropConfig crop = cropConfigFromJs(args.value(0));
  const int64_t width = args.integer(1), height = args.integer(2);
  CAE_CHECK(width > 0 && height > 0, "ERR_CAE_SHAPE", "an image of ", width, " x ", height, " pixels");
  const uint64_t seed = seedFrom(args.real(3));
  const uint32_t epoch = drawKey(args.real(4), "epoch");
  const auto indices = indicesFrom(args, 5);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).images(),
      [=] {
        const at::Tensor out = at::empty({static_cast<int64_t>(indices.size()), 4}, at::kInt);
        auto* row = out.mutable_data_ptr<int32_t>();
        for (const uint32_t index : indices) {
          KeyedDraws draws({.seed = seed, .purpose = Purpose::kCrop, .time = epoch, .index = index});
          const Box box = drawCrop(crop, height, width, draws);
          for (const int64_t value : {box.top, box.left, box.height, box.width}) *row++ = static_cast<int32_t>(value);
        }
        return out;
      },
      tensorToJs);
}

Napi::Value replayMask(const Napi::CallbackInfo& info) {
  Args args(info, "replayMask");
  const MaskConfig mask = maskConfigFromJs(args.value(0));
  const std::vector<double> values = drawsFrom(args, 1);
  args.done();
  RecordedDraws draws(values);
  const at::Tensor out = at::zeros({mask.patches()}, at::kBool);
  drawMask(mask, draws, {out.mutable_data_ptr<bool>(), static_cast<size_t>(mask.patches())});
  draws.done();
  return tensorToJs(info.Env(), out);
}

Napi::Value replayCrop(const Napi::CallbackInfo& info) {
  Args args(info, "replayCrop");
  const CropConfig crop = cropConfigFromJs(args.value(0));
  const int64_t width = args.integer(1), height = args.integer(2);
  const std::vector<double> values = drawsFrom(args, 3);
  args.done();
  RecordedDraws draws(values);
  const Box box = drawCrop(crop, height, width, draws);
  draws.done();
  return tensorToJs(info.Env(), boxTensor(box));
}

Napi::Value randomNumbers(const Napi::CallbackInfo& info) {
  Args args(info, "randomNumbers");
  RngStream stream({.seed = seedFrom(args.real(0)),
                    .purpose = static_cast<Purpose>(drawKey(args.real(1), "purpose")),
                    .time = drawKey(args.real(2), "time"),
                    .index = drawKey(args.real(3), "index")});
  const int64_t count = args.integer(4);
  args.done();
  auto numbers = Napi::Float64Array::New(info.Env(), static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) numbers[static_cast<size_t>(i)] = stream.uniform();
  return numbers;
}

}  // namespace cae::binding
