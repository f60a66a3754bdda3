#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "binding/bindings.h"
#include "binding/model_handle.h"
#include "binding/submit.h"
#include "binding/submit_copies.h"
#include "binding/to_js.h"
#include "tasks/feature_spread.h"
#include "tasks/knn.h"
#include "tasks/linear_probe.h"

namespace cae::binding {
namespace {

/// A feature bank can be gigabytes: it is read where it lies, and kept alive for as long as the task runs.
at::Tensor shared(Args& args, size_t position, const char* name, KeepAlive& keep) {
  const Napi::Value value = args.value(position);
  const at::Tensor tensor = tensorInPlace(value, name);
  keep.add(value.As<Napi::Object>().Get("data").As<Napi::Object>());
  return tensor;
}

struct Pooled {
  at::Tensor cls, avg;  // [B, D]
};

Pooled pooledFeatures(Model& model, const Batch& batch, at::ScalarType dtype) {
  const at::NoGradGuard noGrad;
  Encoder& encoder = model.method->encoder();
  const at::Tensor tokens = encoder->encode(batch.images.to(model.device), dtype);  // [B, 1 + N, D]
  return {.cls = tokens.select(1, 0).cpu(), .avg = encoder->meanOfPatches(tokens).cpu()};
}

std::vector<NamedTensor> namedState(const LinearProbe& probe) {
  std::vector<NamedTensor> named;
  for (const auto& [name, tensor, trainable] : probe.state()) {
    named.push_back({.name = name, .tensor = tensor, .trainable = trainable, .decay = tensor.dim() > 1});
  }
  return named;
}

int64_t stateBytes(const LinearProbe& probe) {
  int64_t bytes = 0;
  for (const auto& entry : probe.state()) bytes += static_cast<int64_t>(entry.tensor.nbytes());
  return bytes;
}

const std::shared_ptr<Executor>& executorOf(Napi::Env env, const LinearProbe& probe) {
  return EnvData::of(env).executor(probe.device().str());
}

}  // namespace

Napi::Value modelFeatures(const Napi::CallbackInfo& info) {
  Args args(info, "modelFeatures");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  const at::ScalarType dtype = parsePrecision(args.text(2));
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).executor(model->device.str()),
      [model, batch, dtype] { return pooledFeatures(*model, *batch, dtype); },
      [](Napi::Env env, const Pooled& pooled) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("cls", tensorToJs(env, pooled.cls));
        out.Set("avg", tensorToJs(env, pooled.avg));
        return out;
      });
}

Napi::Value featureSpread(const Napi::CallbackInfo& info) {
  Args args(info, "featureSpread");
  KeepAlive keep;
  const at::Tensor features = shared(args, 0, "features", keep);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).executor("cpu"), [features] { return cae::featureSpread(features); },
      [](Napi::Env env, const FeatureSpread& spread) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("std", Napi::Number::New(env, spread.std));
        out.Set("effectiveRank", Napi::Number::New(env, spread.effectiveRank));
        return out;
      },
      std::move(keep));
}

Napi::Value nearestNeighbors(const Napi::CallbackInfo& info) {
  Args args(info, "nearestNeighbors");
  KeepAlive keep;
  const at::Tensor bank = shared(args, 0, "bank", keep);
  const at::Tensor queries = shared(args, 1, "queries", keep);
  const int64_t k = args.integer(2);
  args.done();
  return submit(
      info.Env(), EnvData::of(info.Env()).executor("cpu"),
      [bank, queries, k] { return cae::nearestNeighbors(bank, queries, k); },
      [](Napi::Env env, const Neighbors& found) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("indices", tensorToJs(env, found.indices));
        out.Set("similarities", tensorToJs(env, found.similarities));
        return out;
      },
      std::move(keep));
}

Napi::Value createLinearProbe(const Napi::CallbackInfo& info) {
  Args args(info, "createLinearProbe");
  const Config config = args.config(0);
  const auto seed = static_cast<uint64_t>(args.integer(1));
  const at::Device device = parseDevice(args.text(2));
  args.done();
  ConfigReader reader(config, "linearProbe");
  const auto& executor = EnvData::of(info.Env()).executor(device.str());
  return submit(
      info.Env(), executor,
      [probe = readLinearProbeConfig(reader), seed, device] {
        return std::make_shared<LinearProbe>(probe, seed, device);
      },
      [executor](Napi::Env env, const std::shared_ptr<LinearProbe>& probe) {
        return makeHandle(env, HandleKind::kLinearProbe, probe, executor, stateBytes(*probe));
      });
}

Napi::Value linearProbeStep(const Napi::CallbackInfo& info) {
  Args args(info, "linearProbeStep");
  KeepAlive keep;
  const auto probe = args.handle<LinearProbe>(0, HandleKind::kLinearProbe);
  const at::Tensor features = shared(args, 1, "features", keep);
  const at::Tensor labels = shared(args, 2, "labels", keep);
  const at::Tensor rows = args.optionalTensor(args.value(3), "rows");
  const double lr = args.real(4);
  const double weightDecay = args.real(5);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *probe),
      [=] {
        if (!rows.defined()) return probe->step(features, labels, lr, weightDecay);
        return probe->step(features.index_select(0, rows), labels.index_select(0, rows), lr, weightDecay);
      },
      [](Napi::Env env, const LinearProbe::StepResult& result) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("loss", Napi::Number::New(env, result.loss));
        out.Set("accuracy", Napi::Number::New(env, result.accuracy));
        return out;
      },
      std::move(keep));
}

Napi::Value linearProbeLogits(const Napi::CallbackInfo& info) {
  Args args(info, "linearProbeLogits");
  KeepAlive keep;
  const auto probe = args.handle<LinearProbe>(0, HandleKind::kLinearProbe);
  const at::Tensor features = shared(args, 1, "features", keep);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *probe), [probe, features] { return probe->logits(features); }, tensorToJs,
      std::move(keep));
}

Napi::Value linearProbeRead(const Napi::CallbackInfo& info) {
  Args args(info, "linearProbeRead");
  const auto probe = args.handle<LinearProbe>(0, HandleKind::kLinearProbe);
  const auto names = args.texts(1);
  args.done();
  return submitCopies(info.Env(), executorOf(info.Env(), *probe),
                      [probe, names] { return pick(namedState(*probe), names); });
}

Napi::Value linearProbeWrite(const Napi::CallbackInfo& info) {
  Args args(info, "linearProbeWrite");
  const auto probe = args.handle<LinearProbe>(0, HandleKind::kLinearProbe);
  const auto names = args.texts(1);
  KeepAlive keep;
  const auto values = args.tensors(2, keep);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *probe),
      [probe, names, values] {
        writeTensors(namedState(*probe), names, values);
        return Nothing{};
      },
      nothingToJs, std::move(keep));
}

}  // namespace cae::binding
