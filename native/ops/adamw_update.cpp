#include "ops/adamw_update.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <bit>
#include <cmath>
#include <optional>

namespace cae::ops {
namespace {

constexpr int64_t kGrain = int64_t{1} << 15;  // numbers a thread takes at least

/// What every number of an update has in common.
struct Constants {
  float keep;  // of a value, after decay
  float rate;  // lr over the first moment's bias correction
  float beta1, beta2;
  float rootScale;  // one over the root of the second moment's bias correction
  float eps, gradScale;
};

Constants constantsOf(const AdamWUpdate& u) {
  const auto count = static_cast<double>(u.count);
  return {.keep = static_cast<float>(1 - u.lr * u.weightDecay),
          .rate = static_cast<float>(u.lr / (1 - std::pow(u.beta1, count))),
          .beta1 = static_cast<float>(u.beta1),
          .beta2 = static_cast<float>(u.beta2),
          .rootScale = static_cast<float>(1 / std::sqrt(1 - std::pow(u.beta2, count))),
          .eps = static_cast<float>(u.eps),
          .gradScale = static_cast<float>(u.gradScale)};
}

/// The nearest bfloat16, of two equally near the even one. Values are finite: a step with others changes nothing.
uint16_t bfloat16Bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float widened(float value) { return value; }
float widened(uint16_t bfloat16) { return std::bit_cast<float>(uint32_t{bfloat16} << 16); }

template <bool kHasLow, class Grad>
void updateRange(float* __restrict values, const Grad* __restrict grads, float* __restrict first,
                 float* __restrict second, uint16_t* __restrict low, int64_t count, const Constants c) {
  for (int64_t i = 0; i < count; ++i) {
    const float grad = widened(grads[i]) * c.gradScale;
    const float mean = c.beta1 * first[i] + (1 - c.beta1) * grad;
    const float square = c.beta2 * second[i] + (1 - c.beta2) * grad * grad;
    const float value = values[i] * c.keep - c.rate * mean / (std::sqrt(square) * c.rootScale + c.eps);
    first[i] = mean;
    second[i] = square;
    values[i] = value;
    if constexpr (kHasLow) low[i] = bfloat16Bits(value);
  }
}

template <class Grad>
void updateAll(const Grad* grad, const at::Tensor& values, const at::Tensor& firstMoment,
               const at::Tensor& secondMoment, const at::Tensor& low, const AdamWUpdate& update) {
  auto* value = values.data_ptr<float>();
  auto* first = firstMoment.data_ptr<float>();
  auto* second = secondMoment.data_ptr<float>();
  auto* bits = low.defined() ? reinterpret_cast<uint16_t*>(low.data_ptr<at::BFloat16>()) : nullptr;
  const Constants c = constantsOf(update);
  at::parallel_for(0, values.numel(), kGrain, [&](int64_t begin, int64_t end) {
    const auto range = bits == nullptr ? updateRange<false, Grad> : updateRange<true, Grad>;
    range(value + begin, grad + begin, first + begin, second + begin, bits == nullptr ? nullptr : bits + begin,
          end - begin, c);
  });
}

void onCpu(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& firstMoment,
           const at::Tensor& secondMoment, const at::Tensor& low, const AdamWUpdate& update) {
  const auto with = [&](const auto* grad) { updateAll(grad, values, firstMoment, secondMoment, low, update); };
  if (grads.scalar_type() == at::kBFloat16) {
    with(reinterpret_cast<const uint16_t*>(grads.const_data_ptr<at::BFloat16>()));
  } else {
    with(grads.const_data_ptr<float>());
  }
}

void onDevice(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& firstMoment,
              const at::Tensor& secondMoment, const at::Tensor& low, const AdamWUpdate& u) {
  // The kernel takes the count as a tensor and divides gradients by its scale.
  const at::Tensor count = at::full({}, static_cast<double>(u.count), values.options());
  const auto scale = u.gradScale == 1 ? std::optional<at::Tensor>() : at::full({}, 1 / u.gradScale, values.options());
  at::_fused_adamw_({values}, {grads}, {firstMoment}, {secondMoment}, {}, {count}, u.lr, u.beta1, u.beta2,
                    u.weightDecay, u.eps, /*amsgrad=*/false, /*maximize=*/false, scale);
  if (low.defined()) low.copy_(values);
}

}  // namespace

void adamwUpdate(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& firstMoment,
                 const at::Tensor& secondMoment, const at::Tensor& low, const AdamWUpdate& update) {
  const at::NoGradGuard noGrad;
  if (values.numel() == 0) return;
  (values.is_cpu() ? onCpu : onDevice)(values, grads, firstMoment, secondMoment, low, update);
}

}  // namespace cae::ops
