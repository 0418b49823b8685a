// O5: gradients that explode through time.
#include <cmath>

#include "pairs_o.h"
#include "tasks.h"

namespace gallery {
namespace {

using train::with;

// Reads a digit line by line, several times over, with a recurrent ReLU layer that starts as the identity (Le, Jaitly,
// Hinton 2015). Its gradient is a product over all the steps. x: [N, 64] -> [N, 10].
class LineReader final : public nn::Layer {
 public:
  explicit LineReader(Rng& rng)
      : input_(add("input", nn::Linear{8, width, rng})),
        recurrent_(add("recurrent", nn::Linear{width, width, rng, {.bias = false}})),
        output_(add("output", nn::Linear{width, 10, rng})) {
    nn::init::normal(input_.weight, rng, 0, 0.02);
    Scalar* weight = recurrent_.weight.mutable_data();
    for (Index i = 0; i < width * width; ++i) weight[i] = i / width == i % width ? 1 : 0;
    for (Index line = 0; line < 8; ++line) {
      const Tensor pick = Tensor::zeros({64, 8});
      for (Index i = 0; i < 8; ++i) pick.mutable_data()[(8 * line + i) * 8 + i] = 1;
      lines_.push_back(pick);
    }
  }

  Tensor forward(const Tensor& x) const override {
    constexpr int readings = 3;
    Tensor state = Tensor::zeros({x.shape()[0], width});
    for (int reading = 0; reading < readings; ++reading)
      for (const Tensor& line : lines_) state = relu(input_(matmul(x, line)) + recurrent_(state));
    return output_(state);
  }

 private:
  static constexpr Index width = 32;
  nn::Linear& input_;
  nn::Linear& recurrent_;
  nn::Linear& output_;
  std::vector<Tensor> lines_;
};

// Both ways train with SGD and momentum 0.9 at a peak rate of 0.12 for 8 epochs.
constexpr optim::SGDOptions momentum{.momentum = 0.9};
constexpr double rate = 0.12;
constexpr Index epochs = 8;

Outcome unclipped(std::uint64_t seed) {
  const Digits data = digits(seed);
  const auto judge = [&](const nn::Layer& model, const std::vector<double>& losses) {
    return Side{exceeds(loss_on(data.test, model), std::log(10.0) / 2), "loss " + course(losses)};
  };
  const auto wrong = [&] {
    Rng rng(seed);
    const LineReader model(rng);
    optim::SGD optimizer(optim::decay_groups(model.parameters(), 0.01), momentum);
    const auto losses =
        bare_loop(model, data.train, optimizer, optim::constant(rate), {.epochs = epochs, .seed = seed});
    return judge(model, losses);
  };
  const auto handrail = [&] {
    Rng rng(seed);
    LineReader model(rng);
    auto options = defaults(epochs, seed);
    options.optimizer = with<optim::SGD>(momentum);
    options.lr = rate;
    return judge(model, fit(model, data.train, options).losses);
  };
  return {wrong(), handrail()};
}

}  // namespace

Row o5() {
  return {.id = "O5",
          .mistake = "no gradient clipping",
          .wrong_way = "a loop of one's own on a recurrent net, SGD with momentum 0.9 at 0.12, unclipped",
          .criterion = "after training the loss on held-out digits is not finite, or above half that of guessing",
          .opt_out = ".clip_norm = off",
          .give_up = [](train::TrainerOptions& options) { options.clip_norm = train::off; },
          .summary_line = "clip",
          .run = unclipped};
}

}  // namespace gallery
