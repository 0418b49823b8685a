#pragma once

#include <cstdint>
#include <optional>

#include <handrail/train/console.h>
#include <handrail/train/dataset.h>
#include <handrail/train/events.h>

namespace handrail::train {

/// Turns a protection off: {.epochs = 5, .clip_norm = off}. The summary says so.
inline constexpr std::nullopt_t off = std::nullopt;

enum class Decay { cosine, linear, constant };

/// Only `epochs` must be given; all else is on and set to what is safe.
struct TrainerOptions {
  Index epochs;
  Index batch_size = 32;
  bool drop_last = false;

  std::optional<double> lr = {};                 // the optimizer's default: AdamW 1e-3, SGD 1e-2
  Decay decay = Decay::cosine;                   // of the rate after the warmup
  std::optional<double> warmup = 0.05;           // as a share of the planned steps, 1 % to 10 %
  std::optional<double> weight_decay = 0.01;     // on weights only, not on biases, norms, embeddings
  std::optional<double> clip_norm = 1.0;         // of the global gradient norm
  std::optional<double> validation_split = 0.1;  // split off when no validation set is given
  std::optional<Index> max_non_finite = 3;       // non-finite steps in a row before training stops

  std::uint64_t seed = 42;                          // of shuffling, dropout and splits
  std::optional<Normalization> normalization = {};  // of raw data; fitted on the training split
  LogSinks sinks = {console()};                     // {} for silence
};

/// Throws OptionError with every violation.
void validate(const TrainerOptions& options);

}  // namespace handrail::train
