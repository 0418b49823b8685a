// One half of a program that trains a model and of another that uses it, for run.sh.
//   model data DIR                 a folder `mnist` with digits in the form of MNIST
//   model train KIND DIR           trains, saves KIND.hrm and what it predicts
//   model load KIND DIR            builds the model anew, loads KIND.hrm, saves what it predicts
// KIND: bytes, floats, or table (a CSV file through nn::Standardize).

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <handrail/handrail.h>

using namespace handrail;

namespace {

void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) fail<DataError>("cannot write ", path);
}

std::string idx(std::initializer_list<Index> dims, const std::string& data) {
  std::string bytes{0, 0, 8, static_cast<char>(dims.size())};
  for (const Index dim : dims)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(dim >> shift & 255);
  return bytes + data;
}

// Every class lights a column of its own.
void write_digits(const std::filesystem::path& dir, const std::string& set, Index count) {
  Rng rng(static_cast<std::uint64_t>(count));
  std::string images, labels;
  for (Index i = 0; i < count; ++i) {
    const auto label = static_cast<Index>(rng.below(10));
    labels += static_cast<char>(label);
    for (Index pixel = 0; pixel < 784; ++pixel)
      images += static_cast<char>(rng.below(pixel % 28 == 2 * label + 4 ? 256 : 60));
  }
  write(dir / (set + "-images-idx3-ubyte"), idx({count, 28, 28}, images));
  write(dir / (set + "-labels-idx1-ubyte"), idx({count}, labels));
}

struct Sets {
  std::shared_ptr<const train::Dataset> train, test;
};

template <class D>
Sets shared(D train_set, D test_set) {
  return {std::make_shared<D>(std::move(train_set)), std::make_shared<D>(std::move(test_set))};
}

Sets sets_of(const std::string& kind, const std::filesystem::path& dir) {
  if (kind == "table") {
    auto [train_set, test] = stratified_split(train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data, 0.3);
    return shared(train_set, test);
  }
  train::Mnist mnist = train::load_mnist(dir / "mnist");
  if (kind == "bytes") return shared(std::move(mnist.train), std::move(mnist.test));
  const auto floats = [](const train::Dataset& bytes) {
    const train::Batch all = first_samples(bytes, bytes.size());
    return train::TensorDataset(all.inputs, all.targets);
  };
  return shared(floats(mnist.train), floats(mnist.test));
}

nn::Sequential model_of(const std::string& kind, std::uint64_t seed, const train::Dataset* train_set) {
  Rng rng(seed);
  if (kind != "table") return nn::Sequential{nn::Linear{784, 32, rng}, nn::ReLU{}, nn::Linear{32, 10, rng}};
  return nn::Sequential{train_set ? nn::Standardize::fit(*train_set) : nn::Standardize{4}, nn::Linear{4, 16, rng},
                        nn::ReLU{}, nn::Linear{16, 3, rng}};
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "data" && count == 3) {
    const auto mnist = std::filesystem::path(arguments[2]) / "mnist";
    std::filesystem::create_directories(mnist);
    write_digits(mnist, "train", 600);
    write_digits(mnist, "t10k", 200);
    return 0;
  }
  if ((what != "train" && what != "load") || count != 4) {
    std::fprintf(stderr, "usage: model data DIR | train KIND DIR | load KIND DIR\n");
    return 2;
  }
  const std::string kind = arguments[2];
  const std::filesystem::path dir = arguments[3];
  const Sets sets = sets_of(kind, dir);
  const bool trains = what == "train";
  auto model = model_of(kind, trains ? 42 : 7, trains ? sets.train.get() : nullptr);
  train::Trainer trainer(model, cross_entropy,
                         {.epochs = 3, .checkpoints = train::off, .metrics_csv = train::off, .sinks = {}});
  if (trains) {
    trainer.fit(*sets.train);
    trainer.save_model(dir / (kind + ".hrm"));
  } else {
    trainer.load_model(dir / (kind + ".hrm"));
  }
  const Tensor predictions = trainer.predict(*sets.test);
  write(dir / (kind + "." + what),
        {reinterpret_cast<const char*>(predictions.data()), predictions.span().size_bytes()});
  std::printf("%s: accuracy %.4f\n", kind.c_str(), trainer.evaluate(*sets.test).accuracy());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "model: %s\n", error.what());
  return 1;
}
