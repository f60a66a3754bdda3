#pragma once

#include <torch/nn/module.h>

#include <cstdint>

#include "model/config.h"

namespace cae {

/// Draws the weights of `network`, a pure function of the configuration and `seed`: every tensor has a stream of its
/// own, named by the tensor (spec/cae.md 3). Norms, LayerScale, relative positions and the biases of queries and values
/// keep the constants that their constructors gave them.
void initialiseWeights(torch::nn::Module& network, InitRule rule, uint64_t seed);

/// The same for a network of convolutions (spec/baselines.md 2.2, 2.7): those of DALL-E normal with deviation
/// 1 / sqrt(inputs of a pixel) and without bias, the library's uniform within 1 / sqrt(inputs of a pixel), a codebook
/// normal.
void initialiseConvolutions(torch::nn::Module& network, uint64_t seed);

}  // namespace cae
