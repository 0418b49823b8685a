#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/nn/module.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// A function that makes a model derived from nn::Layer of these arguments.
template <class F, class... Arguments>
concept MakesLayer =
    std::is_invocable_v<F&, Arguments...> && std::derived_from<std::invoke_result_t<F&, Arguments...>, nn::Layer>;

class ModelMaker;

/// What converts to ModelMaker, and what does not: a deleted constructor has the latter, so that compilers name the
/// reason.
template <class F>
concept MakesModel = MakesLayer<F, Rng&> || MakesLayer<F, Rng&, const Dataset&>;
template <class F>
concept MakesNoModel = !MakesModel<F> && !std::same_as<F, ModelMaker>;

/// Makes models with new weights, for cross_validate and fit_ensemble. A function or lambda converts to it that takes
/// an Rng& and returns a model derived from nn::Layer:
///
///   const auto make_model = [](Rng& rng) { return nn::Sequential{nn::Linear{4, 16, rng}, nn::ReLU{}, ...}; };
///
/// When it takes (Rng&, const Dataset& train), it also gets the rows that this model is trained on. Constants such as
/// those of nn::Standardize::fit(train) have to come from these rows: from all rows, they would know the fold.
class ModelMaker {
 public:
  template <MakesModel F>
  ModelMaker(F make) : make_(held(std::move(make))) {}  // implicit: a lambda is given
  template <MakesNoModel F>
  ModelMaker(const F&) = delete;  // want a function of Rng&, or Rng& and const Dataset&, that returns a Layer

  /// Makes a model. train: the rows that it is trained on; null when it is not trained but read from a file. Throws
  /// OptionError when the function needs rows and there are none, and what the function throws.
  std::shared_ptr<nn::Layer> operator()(Rng& rng, const Dataset* train) const { return make_(rng, train); }

 private:
  using Make = std::function<std::shared_ptr<nn::Layer>(Rng&, const Dataset*)>;

  template <class F>
  static Make held(F make) {
    return [make = std::move(make)](Rng& rng, const Dataset* train) mutable {
      if constexpr (MakesLayer<F, Rng&, const Dataset&>) {
        if (!train)
          fail<OptionError>(
              "make_model: want a function of an Rng alone, as there are no training rows; got one that "
              "takes a data set, too");
        return in_place([&] { return make(rng, *train); });
      } else {
        return in_place([&] { return make(rng); });
      }
    };
  }
  // Not every model can be moved to another place.
  template <class Call>
  static std::shared_ptr<nn::Layer> in_place(const Call& call) {
    using Model = std::invoke_result_t<Call>;
    return std::shared_ptr<Model>(new Model(call()));
  }

  Make make_;
};

}  // namespace handrail::train
