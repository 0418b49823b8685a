#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include <handrail/handrail.h>

// What the rows of the gallery share: data, models, and a training loop as one writes it by hand.

namespace gallery {

using namespace handrail;

/// The 1,797 digits of 8 x 8 pixels, a fifth of each class held out by the seed; pixels have mean 0 and standard
/// deviation 1 over the training part.
struct Digits {
  train::TensorDataset train, test;
};
Digits digits(std::uint64_t seed);

/// Linear layers of those widths, input first, with ReLU between them.
nn::Sequential mlp(std::initializer_list<Index> widths, std::uint64_t seed);

/// The mean loss over all samples, in evaluation mode.
double loss_on(const train::TensorDataset& data, const nn::Layer& model, train::Loss::Function* loss = cross_entropy);

struct LoopOptions {
  Index epochs;
  Index batch_size = 32;
  std::uint64_t seed;  // of shuffling and dropout
  std::int64_t most_steps = std::numeric_limits<std::int64_t>::max();
};
/// Forward, backward, update and nothing else: no clip, no checks, no second look; by cross entropy. Returns the loss
/// of each step, up to one that is not finite: nothing comes of those after it.
std::vector<double> bare_loop(const nn::Layer& model, const train::TensorDataset& data, optim::Optimizer& optimizer,
                              const optim::Schedule& lr, const LoopOptions& options);

/// The Trainer as it is by default, but silent and without files.
train::TrainerOptions defaults(Index epochs, std::uint64_t seed);

/// What a run of the Trainer came to.
struct Fit {
  train::FitResult result;
  std::vector<double> losses;  // of each step
};
Fit fit(nn::Layer& model, const train::TensorDataset& data, train::TrainerOptions options,
        train::Loss loss = cross_entropy);

/// Whether a figure is above the bound, or not a number.
inline bool exceeds(double figure, double bound) { return !(figure <= bound); }
/// The largest of the first losses; NaN when one of them is.
double peak(const std::vector<double>& losses, std::size_t first = std::numeric_limits<std::size_t>::max());

/// A figure with three digits: "0.0312", "nan".
std::string text(double figure);
/// The first loss, the highest when it stands out, and the last: "2.31 -> 8.03e+19 -> nan at step 174".
std::string course(const std::vector<double>& losses);

}  // namespace gallery
