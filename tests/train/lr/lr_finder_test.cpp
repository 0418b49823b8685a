#include <handrail/train/lr/lr_finder.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/core/random.h>

#include "support/check_throws.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

// The loss that a rate leads to; 0 is before any update.
using Landscape = std::function<double(double lr)>;

LrFinderResult sweep(const Landscape& loss, const LrFinderOptions& options = {},
                     const std::optional<PlannedRun>& run = {}) {
  LrSweep sweep(options);
  for (double lr = 0; sweep.add(loss(lr));) lr = sweep.lr();
  return sweep.result(run);
}

// Falls from 2.3 to 0.5 around 2e-3 and explodes from 0.3 on, as a small network on digits with AdamW.
double digits(double lr) {
  if (lr == 0) return 2.3;
  const double x = std::log10(lr);
  return 0.5 + 1.8 / (1 + std::exp(4 * (x + 2.7))) + std::exp(6 * (x + 0.5));
}

// Falls between `top` and `minimum` and rises again above `minimum`, straight lines over log10 of the rate.
Landscape valley(double top, double minimum, double depth = 1) {
  return [=](double lr) {
    const double x = lr == 0 ? -99 : std::log10(lr);
    if (x < top) return 2.0;
    return x < minimum ? 2 - depth * (x - top) / (minimum - top) : 2 - depth + (x - minimum);
  };
}

double student(Rng& rng, int freedom) {
  double sum = 0;
  for (int i = 0; i < freedom; ++i) sum += std::pow(rng.normal(), 2);
  return rng.normal() / std::sqrt(sum / freedom);
}

using Noise = std::function<double(Rng&)>;
const Noise white = [](Rng& rng) { return rng.normal(); };

int count_accepted(int sweeps, const Landscape& loss, const Noise& noise, const LrFinderOptions& options = {}) {
  int accepted = 0;
  for (int i = 0; i < sweeps; ++i) {
    Rng rng(static_cast<std::uint64_t>(i));
    accepted += sweep([&](double lr) { return loss(lr) + noise(rng); }, options).suggestion.has_value();
  }
  return accepted;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the rate grows from start to end by a constant factor, one update each") {
  LrSweep sweep({.start = 1e-4, .end = 1e-1, .steps = 31});
  CHECK(sweep.lr() == doctest::Approx(1e-4));
  double last = 0;
  int updates = 0;
  while (sweep.add(1.0)) {
    if (updates > 0) CHECK(sweep.lr() / last == doctest::Approx(std::pow(10, 0.1)));
    last = sweep.lr();
    ++updates;
  }
  CHECK(updates == 31);
  CHECK(last == 1e-1);
}

TEST_CASE("a loss belongs to the rate of the update before it") {
  LrSweep sweep({.start = 1e-3, .end = 1, .steps = 31});
  for (int i = 0; i < 32; ++i) CHECK(sweep.add(100 - i) == (i < 31));
  CHECK_FALSE(sweep.add(7));
  const auto result = sweep.result();
  REQUIRE(result.curve.size() == 31);
  for (std::size_t i = 0; i < 31; ++i) {
    CHECK(result.curve[i].loss == 99 - static_cast<double>(i));
    CHECK(result.curve[i].lr == doctest::Approx(1e-3 * std::pow(10, static_cast<double>(i) / 10)));
  }
}

TEST_CASE("the suggestion is a tenth of the rate at the minimum when only the lowest loss counts") {
  const auto result = sweep(digits, {.bottom = 0});
  REQUIRE(result.suggestion);
  CHECK(*result.suggestion == doctest::Approx(*result.minimum / 10));
  CHECK(*result.minimum == doctest::Approx(3.5e-2).epsilon(0.3));  // where the landscape is lowest
  CHECK(result.note.empty());
  CHECK_FALSE(result.censored);
  CHECK_FALSE(result.low_confidence);
}

TEST_CASE("the suggestion lies between a tenth and a third of the rate at the minimum") {
  for (const double bottom : {0.01, 0.03, 0.1, 0.3}) {
    const auto result = sweep(digits, {.bottom = bottom});
    REQUIRE(result.suggestion);
    CHECK(*result.suggestion == doctest::Approx(*result.bottom_end / 10));
    CHECK(*result.bottom_end > *result.minimum);
    CHECK(*result.bottom_end <= 3.17 * *result.minimum);
  }
}

TEST_CASE("the rates read from a sweep are in their natural order") {
  const auto r = sweep(digits);
  CHECK(*r.descent_start < *r.steepest);
  CHECK(*r.descent_start < *r.valley);
  CHECK(*r.steepest < *r.minimum);
  CHECK(*r.valley < *r.minimum);
  CHECK(*r.suggestion > *r.descent_start);
  CHECK(*r.bottom_end < *r.diverged_at);
  CHECK(*r.steepest == doctest::Approx(2e-3).epsilon(0.2));  // the middle of the sigmoid
  CHECK(r.initial_loss == doctest::Approx(2.3).epsilon(0.001));
}

TEST_CASE("smoothing neither delays the minimum nor moves it towards smaller rates") {
  for (const double minimum : {-4.0, -3.0, -2.0, -1.0}) {
    const auto result = sweep(valley(minimum - 1, minimum), {.bottom = 0});
    REQUIRE(result.minimum);
    CHECK(std::abs(std::log10(*result.minimum) - minimum) < 0.15);
  }
}

TEST_CASE("smoothing does not spread an explosion to the rates before it") {
  const auto cliff = [](double height) { return [height](double lr) { return lr > 0.2 ? height : digits(lr); }; };
  const auto none = sweep(digits), low = sweep(cliff(5)), high = sweep(cliff(1e30));
  REQUIRE(none.minimum);
  for (const auto& r : {low, high}) {
    REQUIRE(r.minimum);
    CHECK(*r.minimum == doctest::Approx(*none.minimum).epsilon(0.15));
    CHECK(*r.suggestion == doctest::Approx(*none.suggestion).epsilon(0.15));
  }
}

TEST_CASE("the end of a flat bottom is a steadier reading than its lowest point") {
  const auto flat = [](double lr) {
    const double x = lr == 0 ? -99 : std::log10(lr);
    return x < -3 ? 2.3 : x < -2.5 ? 2.3 - 3.6 * (x + 3) : x < -1.5 ? 0.5 : 0.5 + 2 * (x + 1.5);
  };
  const auto spread = [&](double bottom) {
    double sum = 0, squares = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      Rng rng(seed);
      const auto r = sweep([&](double lr) { return flat(lr) + 0.1 * rng.normal(); }, {.bottom = bottom});
      const double x = std::log10(r.suggestion.value());
      sum += x;
      squares += x * x;
    }
    return std::sqrt(squares / 100 - sum * sum / 1e4);
  };
  CHECK(spread(0.1) < 0.6 * spread(0));
}

TEST_CASE("noise without a descent is refused in at least 99 % of sweeps") {
  const auto constant = [](double) { return 2.3; };
  const Noise heavy = [](Rng& rng) { return 0.1 * student(rng, 2); };
  const Noise skewed = [](Rng& rng) { return 0.1 * std::exp(rng.normal()); };
  CHECK(count_accepted(500, constant, white) <= 5);
  CHECK(count_accepted(500, constant, [](Rng& rng) { return 0.05 * rng.normal(); }) <= 5);
  CHECK(count_accepted(500, constant, heavy) <= 5);
  CHECK(count_accepted(500, constant, skewed) <= 5);
  CHECK(count_accepted(500, constant, white, {.steps = 50}) <= 5);
  // Losses around zero, where shares of the loss mean nothing.
  CHECK(count_accepted(
            500, [](double) { return 0.0; }, white) <= 5);
  CHECK(count_accepted(
            500, [](double) { return 0.0; }, heavy) <= 5);
}

TEST_CASE("a loss that alternates between two kinds of batches is refused") {
  int batch = 0;
  const auto result = sweep([&](double) { return ++batch % 2 == 0 ? 1.0 : 3.0; });
  CHECK_FALSE(result.suggestion);
  CHECK(contains(result.note, "noise between batches"));
  const Noise coin = [](Rng& rng) { return rng.uniform() < 0.5 ? 1.0 : -1.0; };
  CHECK(count_accepted(
            500, [](double) { return 2.0; }, coin) <= 25);
}

TEST_CASE("noise that ends in divergence is refused") {
  const auto rising = [](double lr) { return 0.7 + (lr > 0.01 ? 20 * lr : 0); };
  CHECK(count_accepted(500, rising, [](Rng& rng) { return 0.02 * rng.normal(); }) <= 5);
}

TEST_CASE("a descent is accepted under white and heavy-tailed noise, with about the same suggestion") {
  for (const auto& [scale, noise] :
       {std::pair<double, Noise>{0.15, white}, {0.1, [](Rng& rng) { return student(rng, 2); }}}) {
    int good = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      Rng rng(seed);
      const auto r = sweep([&, scale = scale, noise = noise](double lr) { return digits(lr) + scale * noise(rng); });
      good += r.suggestion && *r.suggestion > 2e-3 && *r.suggestion < 2e-2;
    }
    CHECK(good >= 495);
  }
}

TEST_CASE("a descent of two and a half times the noise of a batch is found") {
  const auto half = [](double lr) { return 1.3 * digits(lr); };  // falls by 2.3
  CHECK(count_accepted(500, half, [](Rng& rng) { return 0.92 * rng.normal(); }) >= 475);
}

TEST_CASE("the length of a sweep is a fifth of the planned steps, from 40 to 200") {
  CHECK(sweep_steps({.steps = 0, .samples = 1}) == 40);
  CHECK(sweep_steps({.steps = 50, .samples = 1600}) == 40);
  CHECK(sweep_steps({.steps = 500, .samples = 1600}) == 100);
  CHECK(sweep_steps({.steps = 1'000'000, .samples = 1600}) == 200);
}

TEST_CASE("for a classifier of few samples the suggestion is the middle of the descent") {
  const auto suggestion = [](Index steps, Index samples) {
    const auto r = sweep(digits, {}, PlannedRun{.steps = steps, .samples = samples, .task = Task::multiclass});
    CHECK(r.few_samples == (samples <= 800));
    CHECK(*r.half_fall == doctest::Approx(2e-3).epsilon(0.15));  // the middle of the sigmoid
    return *r.suggestion / *r.half_fall;
  };
  CHECK(suggestion(400, 800) == doctest::Approx(1));
  CHECK(suggestion(6400, 800) == doctest::Approx(0.125));  // 16^(-3/4)
  CHECK(suggestion(25, 100) == doctest::Approx(8));
  const auto large = sweep(digits, {}, PlannedRun{.steps = 400, .samples = 801, .task = Task::multiclass});
  CHECK(*large.suggestion == doctest::Approx(*large.bottom_end / 10));
  CHECK_FALSE(large.few_samples);
  const auto shortest = sweep(digits, {}, PlannedRun{.steps = 1, .samples = 10, .task = Task::binary});
  CHECK(*shortest.suggestion == doctest::Approx(*shortest.minimum / 2));
}

TEST_CASE("for a classifier of few samples sweeps of any length suggest about the same") {
  for (const Index steps : {40, 100, 200}) {
    // What is learnt is a matter of the way travelled, as far as the rates do no harm.
    LrSweep sweep({.steps = steps});
    double lr = 0, way = 0;
    while (sweep.add(0.1 + 2 * std::exp(-way / 0.1) + (lr > 0.1 ? lr : 0))) way += lr = sweep.lr();
    const auto r = sweep.result(PlannedRun{.steps = 400, .samples = 100, .task = Task::multiclass});
    CHECK(r.suggestion.value() == doctest::Approx(5.6e-3).epsilon(0.25));
  }
}

TEST_CASE("for a regression of few samples the suggestion is a seventh of the rate at the end of the bottom") {
  const PlannedRun few{.steps = 400, .samples = 100};
  const auto r = sweep(digits, {}, few);
  CHECK(*r.suggestion == doctest::Approx(*r.bottom_end / 7));
  CHECK(r.few_samples);
  const auto still = sweep([](double lr) { return 3 / (1 + 100 * lr); }, {}, few);
  CHECK(*still.suggestion == doctest::Approx(0.1));  // what lies behind the end is not known
  const auto own = sweep(digits, {}, PlannedRun{.steps = 400, .samples = 100, .plain_loss = false});
  CHECK(*own.suggestion == doctest::Approx(*own.bottom_end / 10));
  CHECK_FALSE(own.few_samples);
}

TEST_CASE("the usual rate falls with the steps, within bounds") {
  const auto usual = [](Index steps) { return train::usual_lr({.steps = steps, .samples = 100, .default_lr = 1e-3}); };
  CHECK(usual(1500) == doctest::Approx(1e-2));
  CHECK(usual(6000) == doctest::Approx(5e-3));
  CHECK(usual(0) == doctest::Approx(3e-2));
  CHECK(usual(1'000'000) == doctest::Approx(1e-3));
}

TEST_CASE("where the default of the optimizer is known, the suggestion rises a quarter of the way to the usual rate") {
  PlannedRun run{.steps = 1500, .samples = 10'000, .task = Task::multiclass};
  const auto read = sweep(digits, {}, run);
  REQUIRE(read.suggestion);
  const double pick = *read.suggestion;
  const auto with_usual = [&](double usual) {
    run.default_lr = usual / 10;
    return *sweep(digits, {}, run).suggestion;
  };
  CHECK(with_usual(4 * pick) == doctest::Approx(std::sqrt(2.0) * pick));
  CHECK(with_usual(pick / 16) == doctest::Approx(pick));  // a curve that shows a higher rate is believed
  CHECK(with_usual(1e6 * pick) == doctest::Approx(std::min(3 * pick, *read.minimum / 2)));
}

TEST_CASE("losses may be negative") {
  const auto below = sweep([](double lr) { return digits(lr) - 10; });
  const auto across = sweep([](double lr) { return digits(lr) - 1.4; });
  const auto above = sweep(digits);
  REQUIRE(below.suggestion);
  REQUIRE(across.suggestion);
  CHECK(*below.suggestion == doctest::Approx(*above.suggestion).epsilon(0.1));
  CHECK(*across.suggestion == doctest::Approx(*above.suggestion).epsilon(0.1));
}

TEST_CASE("the scale of the loss does not matter") {
  const auto one = sweep(digits);
  for (const double scale : {1e-6, 1e6}) {
    const auto r = sweep([=](double lr) { return scale * digits(lr); });
    CHECK(r.suggestion.value() == doctest::Approx(*one.suggestion));
    CHECK(r.diverged_at.value() == doctest::Approx(*one.diverged_at));
  }
}

TEST_CASE("where a tenth lies before the descent, the suggestion is the geometric mean of descent_start and minimum") {
  Rng rng(5);
  const auto narrow = valley(-2.0, -1.5);
  const auto r = sweep([&](double lr) { return narrow(lr) + 0.25 * rng.normal(); }, {.start = 1e-5, .bottom = 0});
  REQUIRE(r.suggestion);
  CHECK(*r.bottom_end / 10 < *r.descent_start);
  CHECK(*r.suggestion == doctest::Approx(std::sqrt(*r.descent_start * *r.minimum)));
  CHECK(*r.suggestion < *r.minimum);
}

TEST_CASE("a descent in two stages far apart lowers the confidence") {
  const auto two = [](double lr) {
    const double x = lr == 0 ? -99 : std::log10(lr);
    return 3 - 2 / (1 + std::exp(-8 * (x + 4.5))) - 0.5 / (1 + std::exp(-8 * (x + 1.2)));
  };
  const auto r = sweep(two);
  REQUIRE(r.suggestion);
  CHECK(*r.steepest < *r.suggestion / 10);
  CHECK(r.low_confidence);
  CHECK(contains(r.note, "more than a decade apart"));
}

TEST_CASE("a sweep that does not diverge is censored") {
  const auto falling = [](double lr) { return lr < 0.03 ? digits(lr) : 0.5 + lr; };
  const auto r = sweep(falling);
  CHECK(r.censored);
  CHECK_FALSE(r.diverged_at);
  CHECK(contains(r.note, "did not diverge up to lr 1"));
  const auto still = sweep([](double lr) { return 3 / (1 + 100 * lr); });
  CHECK(still.censored);
  CHECK(*still.bottom_end == 1);
  CHECK(*still.suggestion == doctest::Approx(0.1));
  CHECK(contains(still.note, "raise `end`"));
}

TEST_CASE("a loss above its start again has diverged, also where it is far from zero") {
  const auto r = sweep([](double lr) { return 100 + digits(lr); }, {.end = 10});
  REQUIRE_FALSE(r.suggestion);  // 1.8 of 102 is less than 2 %
  const auto shifted = sweep([](double lr) { return 50 + digits(lr); }, {.end = 10});
  REQUIRE(shifted.suggestion);
  CHECK(shifted.diverged_at.value() == doctest::Approx(0.36).epsilon(0.3));
}

TEST_CASE("a sweep ends early when the loss diverges, but not before the tenth update") {
  const auto updates = [](const std::vector<double>& losses) {
    LrSweep sweep;
    int made = 0;
    for (const double loss : losses) {
      if (!sweep.add(loss)) break;
      ++made;
    }
    return made;
  };
  std::vector<double> jump(60, 1.0);
  std::fill(jump.begin() + 3, jump.end(), 1000.0);
  CHECK(updates(jump) == 10);
  std::vector<double> later(60, 1.0);
  std::fill(later.begin() + 30, later.end(), 1000.0);
  CHECK(updates(later) == 30);
  std::vector<double> mild(60, 1.0);
  std::fill(mild.begin() + 30, mild.end(), 3.9);  // less than four times the lowest
  CHECK(updates(mild) == 60);
  for (const double bad : {not_a_number, infinite, -infinite, 1e200}) {
    std::vector<double> ends(60, 1.0);
    ends[5] = bad;
    CHECK(updates(ends) == 5);
  }
}

TEST_CASE("batch noise around zero does not end a sweep") {
  int ended = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    LrSweep sweep;
    int updates = 0;
    while (sweep.add(rng.normal())) ++updates;
    ended += updates < 200;
  }
  CHECK(ended == 0);
}

TEST_CASE("a loss that has become tiny may multiply without ending a sweep") {
  Rng rng(1);
  LrSweep sweep;
  int i = 0;
  while (sweep.add(i < 100 ? 2.0 : (i % 20 < 10 ? 1e-4 : 5e-2) * (1 + rng.uniform()))) ++i;
  CHECK(i == 200);
}

TEST_CASE("a sweep in which nothing learns is refused with the reason") {
  const auto constant = sweep([](double) { return 2.3; });
  CHECK_FALSE(constant.suggestion);
  CHECK(contains(constant.note, "the gradient is zero"));

  Rng rng(3);
  const auto converged = sweep([&](double lr) { return 0.5 + 1e-3 * rng.normal() + 10 * lr; });
  CHECK_FALSE(converged.suggestion);
  CHECK(contains(converged.note, "already converged"));
  CHECK(converged.diverged_at.has_value());

  const auto noise = sweep([&](double) { return 0.7 + 0.05 * rng.normal(); });
  CHECK_FALSE(noise.suggestion);
  CHECK(contains(noise.note, "noise between batches"));
  for (const auto& r : {constant, converged, noise}) {
    CHECK_FALSE(r.minimum);
    CHECK_FALSE(r.steepest);
    CHECK_FALSE(r.valley);
  }
}

TEST_CASE("a fall of less than 2 % is refused even without noise") {
  const auto stair = [](double fall) { return [fall](double lr) { return lr < 1e-2 ? 2 : 2 - fall; }; };
  CHECK_FALSE(sweep(stair(0.03)).suggestion);
  CHECK(contains(sweep(stair(0.03)).note, "less than 2 %"));
  CHECK(sweep(stair(0.05)).suggestion);
}

TEST_CASE("a first loss or gradient that is not finite is refused") {
  for (const double bad : {not_a_number, infinite, -infinite}) {
    LrSweep sweep;
    CHECK_FALSE(sweep.add(bad));
    const auto r = sweep.result();
    CHECK_FALSE(r.suggestion);
    CHECK(contains(r.note, "not finite before any update"));
  }
  LrSweep sweep;
  CHECK(sweep.add(2.3));
  sweep.diverge();
  CHECK_FALSE(sweep.add(2.3));
  CHECK(contains(sweep.result().note, "not finite before any update"));
}

TEST_CASE("a sweep that diverges at once is refused, and the message names the rate") {
  LrSweep sweep({.start = 1e-3});
  while (sweep.add(sweep.lr() > 1.1e-3 ? not_a_number : 2.3)) {
  }
  const auto r = sweep.result();
  CHECK_FALSE(r.suggestion);
  CHECK(contains(r.note, "start the sweep at a lower rate"));
}

TEST_CASE("a gradient that is not finite ends the sweep at the rate before it") {
  LrSweep sweep;
  double lr = 0;
  while (sweep.add(std::min(2.3, digits(lr)))) {
    if (lr > 0.1) {
      sweep.diverge();
      break;
    }
    lr = sweep.lr();
  }
  const auto r = sweep.result();
  REQUIRE(r.suggestion);
  CHECK(*r.diverged_at == doctest::Approx(lr));
  CHECK(r.curve.back().lr < lr);
}

TEST_CASE("the note of an unfinished sweep says that it is too short") {
  LrSweep sweep;
  CHECK(contains(sweep.result().note, "after 0 losses"));
  for (int i = 0; i < 5; ++i) sweep.add(1);
  CHECK(contains(sweep.result().note, "after 5 losses"));
  CHECK(sweep.result().curve.size() == 4);
}

TEST_CASE("whatever the losses, a suggestion lies below the minimum, and the minimum below divergence") {
  int suggested = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    const LrFinderOptions options{.steps = static_cast<Index>(20 + rng.below(60)), .bottom = rng.uniform() / 2};
    LrSweep sweep(options);
    const double drift = 0.3 * rng.normal(), scale = std::pow(10, 6 * rng.normal());
    double level = rng.normal();
    bool more = true;
    while (more) {
      level += drift * rng.uniform() + 0.1 * rng.normal();
      const auto kind = rng.below(400);
      more = sweep.add(kind == 0   ? not_a_number
                       : kind == 1 ? infinite
                       : kind == 2 ? 1e140
                       : kind == 3 ? -1e140
                                   : scale * level);
    }
    const PlannedRun run{.steps = static_cast<Index>(rng.below(10'000)),
                         .samples = static_cast<Index>(rng.below(1600)),
                         .task = rng.below(2) == 0 ? Task::multiclass : Task::regression};
    const auto r = sweep.result(seed % 2 == 0 ? std::optional(run) : std::nullopt);
    CHECK(r.draw(static_cast<int>(rng.below(120)), static_cast<int>(rng.below(40))).empty() == r.curve.empty());
    if (!r.suggestion) {
      CHECK_FALSE(r.note.empty());
      continue;
    }
    ++suggested;
    CHECK(*r.suggestion >= options.start);
    CHECK(*r.suggestion < *r.minimum);
    CHECK((*r.half_fall >= *r.descent_start && *r.half_fall <= *r.minimum));
    CHECK(*r.minimum <= *r.bottom_end);
    if (r.diverged_at) CHECK(*r.bottom_end < *r.diverged_at);
    CHECK(r.censored == !r.diverged_at);
    for (const auto reading : {r.steepest, r.valley}) CHECK((*reading >= *r.descent_start && *reading <= *r.minimum));
  }
  CHECK(suggested > 300);
}

TEST_CASE("options of a sweep are checked together") {
  check_throws<OptionError>([] { LrSweep{{.start = 0, .end = -1, .steps = 5, .bottom = 2}}; }, "want start > 0; got 0",
                            "want steps in [20, 1000000]; got 5", "want bottom in [0, 0.5]; got 2");
  check_throws<OptionError>([] { LrSweep{{.start = 1e-3, .end = 5e-3}}; }, "a decade above start", "got 0.005");
  check_throws<OptionError>([] { LrSweep{{.start = not_a_number}}; }, "want start > 0", "want end");
  check_throws<OptionError>([] { LrSweep{{.end = infinite}}; }, "want end");
  validate(LrFinderOptions{});
}

TEST_CASE("a curve is drawn with its axes and marks") {
  Rng rng(4);
  const auto r = sweep([&](double lr) { return digits(lr) + 0.05 * rng.normal(); });
  for (const auto& [width, height] : {std::pair{72, 18}, {100, 30}, {40, 5}}) {
    std::istringstream text(r.draw(width, height));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    REQUIRE(std::ssize(lines) == height);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) CHECK(std::ssize(lines[i]) == width);
    CHECK(contains(lines[lines.size() - 2], "1e-7"));
    CHECK(contains(lines[lines.size() - 2], "lr"));
    for (const char* part : {"S suggestion", "M minimum", "X steepest", "D diverged"})
      CHECK(contains(lines.back(), part));
  }
  const std::string text = r.draw();
  const auto rows = text.substr(0, text.find("+-"));
  for (const char mark : {'S', 'M', 'X', 'D', '*', '.', ':'}) CHECK(contains(rows, {mark}));
  CHECK(LrFinderResult{}.draw().empty());
  CHECK_FALSE(sweep([](double) { return 2.3; }).draw().empty());  // a flat line
}
