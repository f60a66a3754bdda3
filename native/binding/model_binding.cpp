#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/file_values.h"
#include "binding/bindings.h"
#include "binding/image_specs.h"
#include "binding/model_handle.h"
#include "binding/submit.h"
#include "binding/submit_copies.h"
#include "binding/to_js.h"
#include "ops/patches.h"

namespace cae::binding {
namespace {

const std::shared_ptr<Executor>& executorOf(Napi::Env env, const Model& model) {
  return EnvData::of(env).executor(model.device.str());
}

using Tensors = std::map<std::string, at::Tensor>;

/// Both halves of the patch embedding, put back into raster order: [B, N, D].
at::Tensor wholeEmbedding(const at::Tensor& visible, const at::Tensor& masked, const at::Tensor& mask) {
  const ops::TokenSplit split = ops::splitTokens(mask, visible.device());
  const auto places = [&](const at::Tensor& index) { return index.unsqueeze(2).expand({-1, -1, visible.size(2)}); };
  at::Tensor whole = at::empty({mask.size(0), mask.size(1), visible.size(2)}, visible.options());
  whole.scatter_(1, places(split.visible), visible);
  whole.scatter_(1, places(split.masked), masked);
  return whole;
}

/// What a forward pass tells whether or not it is asked for intermediates: predictions, and what they are compared
/// with.
bool isOutput(const std::string& name) {
  return name == "logits" || name == "normalised" || name == "labels_normalised";
}

/// Results of one forward under the names of golden/README.md.
struct ForwardOptions {
  bool intermediates, gradients, dropPath;
  uint64_t seed;
  int64_t step;
  std::map<std::string, double> schedule;
};

Tensors forward(Model& model, const Batch& given, const ForwardOptions& options) {
  model.method->check(given);
  checkSchedule(*model.method, options.schedule);
  const Batch batch = given.to(model.device);
  Tensors out, mid;
  ForwardArgs args = {.dtype = at::kFloat,
                      .isTraining = options.dropPath,
                      .key = {.seed = options.seed, .step = options.step, .firstPosition = 0},
                      .stepSamples = given.images.size(0),
                      .schedule = options.schedule,
                      .trace = [&](const std::string& name, const at::Tensor& value) {
                        if (isOutput(name))
                          out["out/" + name] = value.detach();
                        else
                          mid[name] = value.detach();
                      }};
  const at::AutoGradMode grad(options.gradients);
  const Losses losses = model.method->forward(batch, args);
  for (const auto& [name, value] : losses.metrics)
    out["out/" + (name == "loss_align" ? name + "_weighted" : name)] = value;
  if (options.intermediates) {
    if (mid.contains("target_patches"))
      out["mid/patch_embed"] = wholeEmbedding(mid.at("encoder_patches"), mid.at("target_patches"), batch.mask);
    for (const auto& [name, value] : mid) {
      const bool internal = name.ends_with("_patches") || name.ends_with("_embed") || name.starts_with("target_");
      if (!internal || name == "pos_embed") out["mid/" + name] = value;
    }
  }
  if (options.gradients) {
    std::vector<std::string> names;
    std::vector<at::Tensor> parameters;
    for (const NamedTensor& t : model.method->tensors()) {
      if (!t.trainable) continue;
      names.push_back(t.name);
      parameters.push_back(t.tensor);
    }
    // Into fresh tensors: a trainer's accumulated gradients are not touched.
    const auto grads = torch::autograd::grad({losses.total}, parameters, {}, false, false, /*allow_unused=*/true);
    for (size_t i = 0; i < names.size(); ++i) {
      out["grad/" + names[i]] = grads[i].defined() ? grads[i] : at::zeros_like(parameters[i]);
    }
  }
  return out;
}

ForwardOptions readForwardOptions(const Napi::Value& value) {
  CAE_CHECK(value.IsObject(), "ERR_CAE_INTERNAL", "modelForward: options are not an object");
  const auto object = value.As<Napi::Object>();
  const Config config = configFromJs(object, "schedule");
  ConfigReader reader(config, "modelForward");
  const ForwardOptions options = {.intermediates = reader.flag("intermediates"),
                                  .gradients = reader.flag("gradients"),
                                  .dropPath = reader.flag("dropPath"),
                                  .seed = static_cast<uint64_t>(reader.integer("seed")),
                                  .step = reader.integer("step"),
                                  .schedule = scheduleFromJs(object.Get("schedule"))};
  reader.done();
  return options;
}

/// A list of FileValues of src/native/types.ts.
std::vector<FileValues> readFileValues(const Napi::Value& value) {
  constexpr at::ScalarType kTypes[] = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};
  CAE_CHECK(value.IsArray(), "ERR_CAE_INTERNAL", "modelFill: no list of values");
  const auto list = value.As<Napi::Array>();
  std::vector<FileValues> all;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value each = list.Get(i);
    CAE_CHECK(each.IsObject(), "ERR_CAE_INTERNAL", "modelFill: values are not an object");
    const Config config = configFromJs(each.As<Napi::Object>());
    ConfigReader reader(config, "modelFill");
    all.push_back({.descriptor = static_cast<int>(reader.integer("descriptor")),
                   .position = reader.integer("position"),
                   .count = reader.integer("count"),
                   .type = kTypes[reader.choice("dtype", {"F32", "F64", "F16", "BF16"})],
                   .path = reader.word("path")});
    reader.done();
  }
  return all;
}

Napi::Value countsToJs(Napi::Env env, const std::vector<int64_t>& counts) {
  Napi::Array out = Napi::Array::New(env, counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    out.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(counts[i])));
  }
  return out;
}

}  // namespace

Napi::Value createModel(const Napi::CallbackInfo& info) {
  Args args(info, "createModel");
  const Config config = args.config(0);
  const auto seed = static_cast<uint64_t>(args.integer(1));
  const at::Device device = parseDevice(args.text(2));
  args.done();
  const auto& executor = EnvData::of(info.Env()).executor(device.str());
  return submit(
      info.Env(), executor,
      [config, seed, device] {
        std::shared_ptr<Method> method = createMethod(config, device);
        method->initialise(seed);
        return std::make_shared<Model>(Model{.method = method, .device = device, .trainer = {}});
      },
      [executor](Napi::Env env, const std::shared_ptr<Model>& model) {
        return makeHandle(env, HandleKind::kModel, model, executor, model->bytes());
      });
}

Napi::Value modelTensors(const Napi::CallbackInfo& info) {
  Args args(info, "modelTensors");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  args.done();
  return tensorInfosToJs(info.Env(), model->method->tensors());
}

Napi::Value modelRead(const Napi::CallbackInfo& info) {
  Args args(info, "modelRead");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto names = args.texts(1);
  args.done();
  return submitCopies(info.Env(), executorOf(info.Env(), *model),
                      [model, names] { return pick(model->method->tensors(), names); });
}

Napi::Value modelWrite(const Napi::CallbackInfo& info) {
  Args args(info, "modelWrite");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto names = args.texts(1);
  KeepAlive keep;
  const auto values = args.tensors(2, keep);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, names, values] {
        writeTensors(model->method->tensors(), names, values);
        if (const auto trainer = model->trainer.lock()) trainer->weightsChanged();
        return Nothing{};
      },
      nothingToJs, std::move(keep));
}

Napi::Value modelFill(const Napi::CallbackInfo& info) {
  Args args(info, "modelFill");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto names = args.texts(1);
  const std::vector<FileValues> values = readFileValues(args.value(2));
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, names, values] {
        const std::vector<int64_t> nonFinite = fillFromFiles(pick(model->method->tensors(), names), values);
        if (const auto trainer = model->trainer.lock()) trainer->weightsChanged();
        return nonFinite;
      },
      countsToJs);
}

Napi::Value modelForward(const Napi::CallbackInfo& info) {
  Args args(info, "modelForward");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  const ForwardOptions options = readForwardOptions(args.value(2));
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model), [model, batch, options] { return forward(*model, *batch, options); },
      namedTensorsToJs);
}

Napi::Value modelEncodeBatch(const Napi::CallbackInfo& info) {
  Args args(info, "modelEncodeBatch");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  const at::ScalarType dtype = parsePrecision(args.text(2));
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch, dtype] { return model->method->encoder()->encode(batch->images, dtype).cpu(); }, tensorToJs);
}

Napi::Value addLatents(const Napi::CallbackInfo& info) {
  Args args(info, "addLatents");
  const auto tower = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *tower),
      [tower, batch] {
        CAE_CHECK(batch->view.defined(), "ERR_CAE_SHAPE", "the batch has no second view to make latents of");
        Batch complete = *batch;
        complete.view.reset();
        complete.latents = tower->method->latents(batch->view);
        return std::make_shared<Batch>(complete);
      },
      batchToJs);
}

Napi::Value modelAttention(const Napi::CallbackInfo& info) {
  Args args(info, "modelAttention");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch] {
        const at::Tensor weights = model->method->encoder()->lastAttention(batch->images);  // [B, heads, 1 + N]
        return weights.narrow(2, 1, weights.size(2) - 1).contiguous().cpu();
      },
      tensorToJs);
}

Napi::Value modelReconstruct(const Napi::CallbackInfo& info) {
  Args args(info, "modelReconstruct");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  const std::string path = args.text(2);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch, full = path == "full"] {
        return model->method->reconstruct(batch->to(model->device), full).cpu();
      },
      tensorToJs);
}

}  // namespace cae::binding
