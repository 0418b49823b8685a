// What must not compile. A line below "says: REGEX" is an error, whose first lines match the regular expression.
#include <utility>

#include <handrail/handrail.h>

using namespace handrail;

train::TensorDataset make_data();

void temporary_data(const train::TensorDataset& data) {
  // says: refers to the data set: give it a name
  train::Loader all{make_data(), {.batch_size = 4}};
  // says: refer to the data set: give it a name
  train::Loader some({make_data(), {0, 1}}, {.batch_size = 4});
  // says: refer to the data set: give it a name
  train::Rows all_of(make_data());
  // says: refers to the data set: give it a name
  train::Loader moved(std::move(data), train::LoaderOptions{});
}

void temporary_shape(const train::Dataset& data) {
  // says: give the shape a name
  for (const Index dim : data.input_shape().dims()) static_cast<void>(dim);
}

nn::Sequential temporary_model(Rng& rng) {
  // says: the model must outlive the trainer: give it a name
  train::Trainer trainer{nn::Sequential{nn::Linear{784, 10, rng}}, cross_entropy, {.epochs = 5}};
  // says: the model must outlive the trainer: give it a name
  train::Trainer other{nn::Linear{784, 10, rng}, {.epochs = 5}};
}

void options(nn::Sequential& model, const train::TensorDataset& data, std::vector<optim::ParamGroup> groups) {
  // says: no option has this name and type: `TrainerOptions o
  train::Trainer name{model, cross_entropy, {.epoch = 5}};
  // says: no option has this name and type: `TrainerOptions o
  train::Trainer type{model, cross_entropy, {.epochs = 5, .lr = "fast"}};
  // says: no option has this name and type: `TrainerOptions o
  train::Trainer guard(model, cross_entropy, {.epochs = 5, .guards = {.spikes = train::off}});
  // says: no option has this name and type: `TrainerOptions o
  train::Trainer none(model, cross_entropy);
  // says: TrainerOptions.* has no .*epoch|epoch.* does not refer to any field in type .*TrainerOptions
  train::TrainerOptions alone{.epoch = 5};
  // says: no option has this name and type: `LoaderOptions o
  train::Loader loader{data, {.batchsize = 4}};
  // says: no option has this name and type: `LoaderOptions o
  train::Loader rows({data, {0, 1}}, {.batchsize = 4});
  // says: cannot convert|could not convert
  // says: SGDOptions
  auto factory = train::with<optim::SGD>({.momentun = 0.9});
  // says: cannot convert|could not convert
  // says: SGDOptions
  train::Trainer sgd{model, cross_entropy, {.epochs = 5, .optimizer = train::with<optim::SGD>({.momentun = 0.9})}};
}

void off_and_automatic(nn::Sequential& model) {
  // says: convert.*automatic|conversion from .*Auto
  train::TrainerOptions clip{.epochs = 5, .clip_norm = automatic};
  // says: convert.*off|conversion from .*Off
  train::TrainerOptions lr{.epochs = 5, .lr = off};
  // says: convert.*automatic|conversion from .*Auto
  train::TrainerOptions limit{.epochs = 5, .limit_train_batches = automatic};
  // says: convert.*automatic|conversion from .*Auto
  train::TrainerOptions checkpoints{.epochs = 5, .checkpoints = automatic};
  // says: convert.*automatic|conversion from .*Auto
  train::TrainerOptions path{.epochs = 5, .metrics_csv = automatic};
  // says: convert.*Auto|conversion from .*Auto
  train::TrainerOptions stratify{.epochs = 5, .stratify = automatic};
  // says: convert.*Off|conversion from .*Off
  train::TrainerOptions epochs{.epochs = off};
  // says: convert.*off|conversion from .*Off
  train::CheckpointOptions steps{.every_n_steps = off};
  // says: convert.*nullopt|conversion from .*nullopt
  train::TrainerOptions none{.epochs = 5, .patience = std::nullopt};
  // says: no option has this name and type: `TrainerOptions o
  train::Trainer trainer{model, cross_entropy, {.epochs = 5, .clip_norm = automatic}};
}

struct Callable {
  Tensor operator()(const Tensor& x) const;
};
struct Module : nn::Module {
  Tensor operator()(const Tensor& x) const;
};

void models(Callable& callable, Module& module, nn::Linear& linear, Rng& rng) {
  // says: want a model derived from nn::Layer
  train::Trainer first{callable, cross_entropy, {.epochs = 5}};
  // says: want a model derived from nn::Layer
  train::Trainer second{module, cross_entropy, {.epochs = 5}};
  // says: want layers, made in place or
  nn::Sequential third{nn::Linear{784, 10, rng}, Callable{}};
  // says: want layers, made in place or
  nn::Sequential fourth{nn::Linear{784, 10, rng}, relu};
  // says: want layers, made in place or std::move
  nn::Sequential fifth{linear, nn::ReLU{}};
  // says: want .in, out, rng.
  nn::Linear sixth{784, 10};
  // says: want .in, out, rng.
  nn::Linear seventh{784, 10, 42};
  // says: want .in, out, rng.
  nn::Linear eighth{784, 10, Rng{42}};
  // says: want .in, out, rng.
  nn::Linear ninth{784, 10, rng, {.biass = false}};
}

void losses(nn::Sequential& model) {
  // says: want a Tensor of .predictions, targets.
  train::Trainer one{model, [](const Tensor& x) { return x; }, {.epochs = 5}};
  // says: want a Tensor of .predictions, targets.
  train::Trainer number{model, [](const Tensor&, const Tensor&) { return 1.0; }, {.epochs = 5}};
}

struct WithoutGather : train::Dataset {
  Index size() const override;
  Shape input_shape() const override;
  Shape target_shape() const override;
};

void rest(train::Trainer& trainer) {
  // says: abstract.*WithoutGather
  // says: gather
  WithoutGather data;
  // says: deleted
  train::Trainer other = trainer;
}

void model_makers(nn::Sequential& model, const train::TensorDataset& data) {
  // says: want a function of Rng&, or Rng& and const Dataset&, that returns a Layer
  train::cross_validate(model, cross_entropy, {.epochs = 5}, data);
  // says: want a function of Rng&, or Rng& and const Dataset&, that returns a Layer
  train::fit_ensemble([](Rng&) { return 5; }, cross_entropy, {.epochs = 5}, data);
}
