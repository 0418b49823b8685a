// O9 and O10: weight decay where it does harm, and runs that cannot be repeated.
#include <cmath>

#include "pairs_o.h"
#include "tasks.h"

namespace gallery {
namespace {

// A temperature in kelvin from four readings around 0: the bias has to become 293. Noise 0.3 K.
train::TensorDataset temperatures(Index n, std::uint64_t seed, std::uint64_t part) {
  Rng truth({.seed = seed, .stream = Stream::user, .position = 0});
  Rng rng({.seed = seed, .stream = Stream::user, .position = part});
  const Tensor w = normal({4, 1}, 0, 1, truth);
  const Tensor x = normal({n, 4}, 0, 1, rng);
  return {x, matmul(x, w) + 293 + 0.3 * normal({n, 1}, 0, 1, rng)};
}

Outcome decayed_bias(std::uint64_t seed) {
  const auto data = temperatures(2000, seed, 1), test = temperatures(500, seed, 2);
  const auto run = [&](bool exempt) {
    nn::Sequential model = mlp({4, 1}, seed);
    auto options = defaults(150, seed);
    options.standardize = train::off;  // which would make 0 of the 293
    options.decay_exempt = exempt;
    fit(model, data, options, mse_loss);
    const double error = std::sqrt(loss_on(test, model, mse_loss));
    const auto bias = static_cast<double>(model.parameters().back().tensor.at({0}));
    return Side{exceeds(error, 1), concat("bias ", text(bias), " of 293, error ", text(error), " K")};
  };
  return {run(false), run(true)};
}

nn::Sequential with_dropout(std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{64, 128, rng}, nn::ReLU{}, nn::Dropout{0.2}, nn::Linear{128, 10, rng}};
}

// Sets the number of threads while it lives.
class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// How the weights of two runs of one program compare, bit by bit.
Side compare(const nn::Module& first, const nn::Module& second, const std::string& how) {
  Index differ = 0;
  const auto a = first.parameters(), b = second.parameters();
  for (std::size_t p = 0; p < a.size(); ++p)
    for (std::size_t i = 0; i < a[p].tensor.span().size(); ++i)
      differ += a[p].tensor.span()[i] != b[p].tensor.span()[i];
  return {differ > 0, concat("two runs", how, ": ", differ, " of ", first.parameter_count(), " weights differ")};
}

Outcome inconsistent_seeds(std::uint64_t seed) {
  constexpr Index epochs = 1, batch_size = 512;
  constexpr double rate = 1e-3;
  const Digits data = digits(seed);
  // Initialisation is seeded; shuffling and dropout draw from the system.
  const auto by_hand = [&] {
    nn::Sequential model = with_dropout(seed);
    optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
    bare_loop(model, data.train, optimizer, optim::constant(rate),
              {.epochs = epochs, .batch_size = batch_size, .seed = train::random_seed()});
    return model;
  };
  const auto handrail = [&](int threads) {
    const Threads number(threads);
    nn::Sequential model = with_dropout(seed);
    auto options = defaults(epochs, seed);
    options.batch_size = batch_size;
    options.lr = rate;
    fit(model, data.train, options);
    return model;
  };
  return {compare(by_hand(), by_hand(), ""), compare(handrail(1), handrail(2), " on 1 and 2 threads")};
}

}  // namespace

Row o9() {
  return {.id = "O9",
          .mistake = "weight decay on biases and norms",
          .wrong_way = "the Trainer with decay on every parameter, a bias that has to become 293",
          .criterion = "after training the error on held-out rows is above 1 K; the noise is 0.3 K",
          .opt_out = ".decay_exempt = off",
          .give_up = [](train::TrainerOptions& options) { options.decay_exempt = train::off; },
          .summary_line = "decay_exempt",
          .run = decayed_bias};
}

Row o10() {
  return {.id = "O10",
          .mistake = "seeds inconsistent",
          .wrong_way = "a loop of one's own: the weights are seeded, shuffling and dropout are not",
          .criterion = "two runs of the same program differ in a weight",
          .opt_out = ".seed = random_seed()",
          .give_up = [](train::TrainerOptions& options) { options.seed = train::random_seed(); },
          .summary_line = "fixed seed",
          .run = inconsistent_seeds};
}

}  // namespace gallery
