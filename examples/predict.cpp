// predict: what a saved model or checkpoint says of images, of a picture or of the rows of a table
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

// The network of the weights: linear layers with ReLU between them, and perhaps constants of Standardize first, as
// Sequential numbers them. A file holds no layers, so that every program builds its model itself.
nn::Sequential build_model(const train::SavedModel& saved) {
  const train::NamedTensors &weights = saved.weights.parameters, &constants = saved.weights.buffers;
  std::size_t last = 0;
  for (const auto& [name, tensor] : weights) {
    if (name[0] < '0' || name[0] > '9')
      fail<DataError>("want the layers of a Sequential, such as '0.weight'; got '", name, "'");
    last = std::max(last, static_cast<std::size_t>(std::stoul(name)));
  }
  Rng rng(1);
  nn::Sequential model;
  for (std::size_t i = 0; i <= last; ++i) {
    const std::string layer = std::to_string(i);
    if (const auto weight = weights.find(layer + ".weight"); weight != weights.end())
      model.push_back(nn::Linear{weight->second.shape()[0], weight->second.shape()[1], rng});
    else if (const auto mean = constants.find(layer + ".mean"); mean != constants.end())
      model.push_back(nn::Standardize{mean->second.size()});
    else
      model.push_back(nn::ReLU{});
  }
  return model;
}

// A grey picture in the binary format of PGM, "P5 width height 255", as bytes [height, width].
train::IdxArray read_pgm(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string magic;
  Index width = 0, height = 0, largest = 0;
  if (!(in >> magic >> width >> height >> largest) || magic != "P5" || largest != 255 || width < 1 || height < 1)
    fail<DataError>("'", path, "': want a PGM picture, P5 with values up to 255 and without comments");
  in.get();  // the blank before the pixels
  const std::string pixels{std::istreambuf_iterator<char>(in), {}};
  if (std::ssize(pixels) / width != height || std::ssize(pixels) % width != 0)
    fail<DataError>("'", path, "': want ", width, " x ", height, " pixels; got ", pixels.size());
  return {.shape = {1, height, width}, .bytes = {pixels.begin(), pixels.end()}};
}

Tensor predict_bytes(train::Trainer& trainer, train::IdxArray images) {
  const Shape& sample = trainer.model_info().input_shape;
  const auto count = static_cast<std::size_t>(images.shape[0]);
  if (images.shape.without_first().size() != sample.size())
    fail<DataError>("want images of ", sample.size(), " bytes; got ", images.shape.without_first());
  const train::ByteDataset data(sample, std::move(images.bytes), std::vector<std::uint8_t>(count));
  return trainer.predict(data);
}

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string path = arguments.get("model", "", "a file of save_model, or a checkpoint");
  const std::string idx = arguments.get("idx", "", "images in an IDX file");
  const std::string pgm = arguments.get("pgm", "", "a picture in a PGM file");
  const std::string csv = arguments.get("csv", "", "a table with the columns that the model was trained on");
  const auto options = arguments.options({.epochs = 1, .checkpoints = off});
  if (path.empty() || idx.empty() + pgm.empty() + csv.empty() != 2)
    fail<OptionError>("want --model and one of --idx, --pgm and --csv; --help lists all options");

  const train::SavedModel saved = train::read_model(path);
  nn::Sequential model = build_model(saved);
  const train::Loss loss = saved.info.task == train::Task::multiclass ? cross_entropy
                           : saved.info.task == train::Task::binary   ? binary_cross_entropy_with_logits
                                                                      : mse_loss;
  train::Trainer trainer{model, loss, options};
  trainer.load_model(path);
  const auto& info = trainer.model_info();

  const Tensor outputs = !csv.empty()
                             ? trainer.predict(info.table ? info.table->inputs(csv) : train::read_csv(csv).values)
                         : !idx.empty() ? predict_bytes(trainer, train::read_idx(idx))
                                        : predict_bytes(trainer, read_pgm(pgm));
  if (info.task != train::Task::multiclass) {
    for (Index i = 0; i < outputs.shape()[0]; ++i) std::printf("%td: %g\n", i, static_cast<double>(outputs.at({i, 0})));
    return 0;
  }
  const Tensor probabilities = softmax(outputs);
  const auto classes = train::argmax(outputs);
  for (Index i = 0; i < std::ssize(classes); ++i) {
    const Index best = classes[static_cast<std::size_t>(i)];
    const bool named = best < std::ssize(info.class_names);
    const std::string name = named ? info.class_names[static_cast<std::size_t>(best)] : std::to_string(best);
    std::printf("%td: %s, probability %.3f\n", i, name.c_str(), static_cast<double>(probabilities.at({i, best})));
  }
} catch (const std::exception& error) {
  return exit_status("predict", error);
}
