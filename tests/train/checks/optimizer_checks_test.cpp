#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/settings/optimizer_checks.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

template <class O>
std::vector<std::string> numbers_of(typename O::Options options) {
  nn::Sequential model = small_model();
  const O optimizer(optim::decay_groups(model.parameters(), 0), options);
  std::vector<std::string> names;
  for (const Anomaly& anomaly : check_hyperparameters(optimizer)) names.push_back(name_of(anomaly));
  return names;
}

using Names = std::vector<std::string>;

std::optional<Anomaly> trained(const nn::Module& model, const std::vector<optim::ParamGroup>& groups,
                               bool loaded = true) {
  Trained found = trained_parameters(model.parameters(), groups);
  found.loaded = loaded;
  return check_trained(found);
}

}  // namespace

TEST_CASE("new layers at less than a thousandth of the rate are a warning, although they are few of the weights") {
  const nn::Sequential model = small_model();
  const auto all = model.parameters();
  const auto with = [&](double scale) {
    return trained(model, {{.name = "first", .params = {all[0], all[1]}, .lr_scale = scale},
                           {.name = "last", .params = {all[2], all[3]}}});
  };
  CHECK(name_of(with(4e-4)) == "not_trained");
  CHECK(name_of(with(0.02)) == "");
}

TEST_CASE("parameters that the optimizer has not are a warning with their share of the weights") {
  nn::Sequential model = small_model(), other = small_model(2);
  const auto all = model.parameters();
  CHECK(name_of(trained(model, optim::decay_groups(all, 0.01))) == "");
  const auto part = trained(model, {{.name = "some", .params = {all[0], all[1]}}});
  CHECK(name_of(part) == "not_trained");
  CHECK(part->severity == Severity::warning);
  CHECK(contains(part->where, "'2.weight', '2.bias'"));
  CHECK(contains(part->evidence, "41.5 %"));
  const auto foreign = trained(model, optim::decay_groups(other.parameters(), 0));
  CHECK(name_of(foreign) == "not_trained");
  CHECK(contains(foreign->evidence, "4 of its tensors are not in the model"));
}

TEST_CASE("frozen parameters are a note, and a warning when most weights are frozen as they were drawn") {
  nn::Sequential model = small_model();
  const auto groups = optim::decay_groups(model.parameters(), 0);
  model.freeze("2");
  CHECK_FALSE(are_loaded(model.parameters()));
  CHECK(trained(model, groups, false)->severity == Severity::note);
  model.unfreeze();
  model.freeze("0");
  CHECK(trained(model, groups, false)->severity == Severity::warning);
  CHECK(trained(model, groups, true)->severity == Severity::note);
  for (const Parameter& p : model.parameters()) p.tensor.mutable_data();  // as load_model writes
  CHECK(are_loaded(model.parameters()));
}

TEST_CASE("a group with lr_scale 0 counts as frozen") {
  nn::Sequential model = small_model();
  const auto all = model.parameters();
  const auto found = trained(model, {{.name = "still", .params = {all[0], all[1]}, .lr_scale = 0},
                                     {.name = "moves", .params = {all[2], all[3]}}});
  CHECK(name_of(found) == "not_trained");
  CHECK(found->severity == Severity::note);
  CHECK(contains(found->evidence, "frozen: 58.5 %"));
}

TEST_CASE("weights that begin at random in a group that hardly moves are a warning, loaded ones are not") {
  nn::Sequential model = small_model();
  const auto all = model.parameters();
  const auto name = [&](double scale) {
    return name_of(trained(model, {{.name = "body", .params = {all[0], all[1]}, .lr_scale = scale},
                                   {.name = "head", .params = {all[2], all[3]}}}));
  };
  CHECK(name(1e-4) == "not_trained");
  CHECK(name(1e-2) == "");
  for (const Parameter& p : all) p.tensor.mutable_span()[0] += 1;  // as loading does
  CHECK(name(1e-4) == "");
}

TEST_CASE("unusual numbers of an optimizer are named, and usual ones are not") {
  CHECK(numbers_of<optim::SGD>({.momentum = 0.99}) == Names{});
  CHECK(numbers_of<optim::SGD>({.momentum = 0.995}) == Names{"momentum_too_high"});
  CHECK(numbers_of<optim::AdamW>({}) == Names{});
  CHECK(numbers_of<optim::Adam>({.beta1 = 0.5, .beta2 = 0.9}) == Names{});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.95, .beta2 = 0.98, .eps = 1e-6}) == Names{});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.999, .beta2 = 0.9}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.999, .beta2 = 0.9999}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.5, .beta2 = 0.5}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.eps = 0.1}) == Names{"adam_eps"});
}

TEST_CASE("a tiny clip_norm is a warning for SGD and a note for Adam, which undoes it") {
  nn::Sequential model = small_model();
  const auto groups = optim::decay_groups(model.parameters(), 0);
  const optim::SGD sgd(groups);
  const optim::AdamW adam(groups);
  const auto weights = model.parameters();
  CHECK(name_of(check_clip(1e-4, sgd, weights)) == "clip_too_small");
  CHECK(check_clip(1e-4, sgd, weights)->severity == Severity::warning);
  CHECK(check_clip(1e-4, adam, weights)->severity == Severity::note);
  CHECK(check_clip(1e-8, adam, weights)->severity == Severity::warning);
  CHECK_FALSE(check_clip(1e-2, sgd, weights));
}

TEST_CASE("a clip_norm is a warning when all updates together cannot move the weights, momentum counted") {
  nn::Sequential model = small_model();
  const auto groups = optim::decay_groups(model.parameters(), 0);
  const auto weights = model.parameters();
  const optim::SGD sgd(groups), with_momentum(groups, {.momentum = 0.9});
  const auto found = check_clip(1e-3, sgd, weights, 0.02 * 500);
  REQUIRE(name_of(found) == "clip_too_small");
  CHECK(contains(found->details, "all updates together"));
  CHECK_FALSE(check_clip(1e-2, with_momentum, weights, 0.02 * 500));
  CHECK_FALSE(check_clip(1e-3, optim::AdamW(groups), weights, 0.02 * 500));
  CHECK_FALSE(check_clip(1, sgd, weights, 0.02 * 500));
  CHECK_FALSE(check_clip(1, sgd, weights, 1e-4 * 500));  // the rate is what is small
}

TEST_CASE("a group whose rate is many times the one of the run is named") {
  const auto found = [](double scale) {
    const std::vector<optim::ParamGroup> groups{{.name = "weights", .params = {}},
                                                {.name = "biases", .params = {}, .lr_scale = scale}};
    return check_group_rates(groups);
  };
  REQUIRE(found(300));
  CHECK(found(300)->name == "lr_too_high");
  CHECK(found(300)->where == "group 'biases'");
  CHECK_FALSE(found(10));
  CHECK_FALSE(found(0.01));
  CHECK_FALSE(check_group_rates({}));
}
