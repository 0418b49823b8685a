#pragma once

#include <vector>

#include <handrail/handrail.h>

namespace bench {

/// Linear layers with ReLU in between.
inline handrail::nn::Sequential mlp(const std::vector<long>& widths) {
  handrail::Rng rng(1);
  handrail::nn::Sequential model(handrail::nn::Linear(widths[0], widths[1], rng));
  for (std::size_t l = 1; l + 1 < widths.size(); ++l) {
    model.push_back(handrail::nn::ReLU());
    model.push_back(handrail::nn::Linear(widths[l], widths[l + 1], rng));
  }
  return model;
}

}  // namespace bench
