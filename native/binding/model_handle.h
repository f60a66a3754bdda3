#pragma once

#include <memory>
#include <vector>

#include "binding/args.h"
#include "methods/method.h"
#include "train/trainer.h"

namespace cae::binding {

/// What a model handle points to.
struct Model {
  std::shared_ptr<Method> method;
  at::Device device;
  std::weak_ptr<Trainer> trainer;  // the one that owns the weights' copies, if any

  int64_t bytes() const;
};

/// 'cpu', 'cuda' or 'cuda:N'; ERR_CAE_DEVICE where this build or machine has no such device.
at::Device parseDevice(const std::string& name);

/// 'fp32' or 'bf16'.
at::ScalarType parsePrecision(const std::string& name);

/// `[{ name, shape, trainable, decay }]`.
Napi::Value tensorInfosToJs(Napi::Env env, const std::vector<NamedTensor>& tensors);

/// The tensors called `names`, in that order; ERR_CAE_CHECKPOINT names the first that does not exist.
std::vector<at::Tensor> pick(const std::vector<NamedTensor>& all, const std::vector<std::string>& names);

/// Copies `values` into the tensors called `names`. Names and shapes are all checked before anything is written.
void writeTensors(const std::vector<NamedTensor>& all, const std::vector<std::string>& names,
                  const std::vector<at::Tensor>& values);

}  // namespace cae::binding
