#include <handrail/train/run/internal/preflight/standardise.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/checkpoints/internal/model_scales.h>
#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/checks/internal/scale_checks.h>
#include <handrail/train/checks/internal/settings/norm_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {
namespace {

using Scale = std::shared_ptr<const nn::Standardize>;
using Op = StepGraph::Op;

bool is_trained_layer(const Op& op) { return is_linear(op) && op.inputs[1].requires_grad(); }

bool combines_with(const Op& op, const Tensor& constants) {
  return op.inputs.size() == 2 && op.inputs[1].is_same(constants);
}

// Whether the inputs go through the scale into trained linear layers, and nowhere else.
bool reads_scaled(const StepGraph& graph, const nn::Standardize& scale, const Tensor& inputs) {
  const int scale_ops = scale.options().robust ? 3 : 2;  // sub, mul and perhaps smooth_clip
  Tensor value = inputs;                                 // what has been made of the inputs
  int made = 0;
  bool is_read = false;
  for (const Op& op : graph.ops()) {
    const auto reads = [&op](const Tensor& x) {
      return std::ranges::any_of(op.inputs, [&](const Tensor& input) { return input.is_same(x); });
    };
    if (made > 0 && reads(inputs)) return false;
    if (!reads(value)) continue;
    if (!op.inputs[0].is_same(value)) return false;
    if (made == scale_ops) {
      if (!is_trained_layer(op)) return false;
      is_read = true;
    } else {
      if (made == 0 && !combines_with(op, scale.mean)) return false;
      value = op.output;
      ++made;
    }
  }
  return is_read;
}

// Whether the scale makes the predictions of the outputs of a trained linear layer.
bool writes_scaled(const StepGraph& graph, const nn::Standardize& scale, const Tensor& predictions) {
  const auto number = graph.maker(predictions);
  const Op* sum = number ? &graph.ops()[*number] : nullptr;
  if (!sum || !combines_with(*sum, scale.mean)) return false;
  const Op* quotient = graph.previous(*sum);
  if (!quotient || !combines_with(*quotient, scale.inverse)) return false;
  const Op* layer = graph.previous(*quotient);
  return layer && is_trained_layer(*layer);
}

class Trial {
 public:
  Trial(Setup& setup, const Position& at, Stop& stop)
      : setup_(setup), rehearsal_(setup, at, stop), batch_(setup.loader->batch(0)) {}

  bool is_trained();
  /// Takes out what is not right for the model with these scales.
  void check(Scale& input, Scale& output);

 private:
  double loss_of(const Tensor& predictions, const Tensor& targets) const {
    const NoGrad values_only;
    return static_cast<double>((*setup_.loss)(predictions, targets).item());
  }
  /// Records step(), which returns its predictions.
  template <class Step>
  void record(Scale& input, Scale& output, Tape& tape, Step&& step);

  Setup& setup_;
  Rehearsal rehearsal_;
  Batch batch_;
};

// Compared with other targets as well, and on several batches, because a model of the wrong scale may have a low loss
// by chance.
bool Trial::is_trained() {
  constexpr double share = 0.7;
  constexpr Index max_batches = 8;
  double loss = 0, of_zeros = 0, of_shifted = 0;
  for (Index i = 0; i < std::min(setup_.loader->size(), max_batches); ++i) {
    const Batch batch = setup_.loader->batch(i);
    const Tape tape(Mode::train, rehearsal_.random());
    const StepOutput output = setup_.training_output(batch, i);
    const Tensor &predictions = output.predictions, &targets = batch.targets;
    const Index rows = targets.shape()[0];
    if (!predictions.defined() || rows < 2) return false;
    const Tensor shifted(targets.shape());
    std::ranges::rotate_copy(targets.span(), targets.span().begin() + targets.size() / rows, shifted.mutable_data());
    loss += static_cast<double>(output.loss.item());
    of_zeros += loss_of(Tensor::zeros(predictions.shape()), targets);
    of_shifted += loss_of(predictions, shifted);
  }
  return loss < share * of_zeros && loss < share * of_shifted;
}

template <class Step>
void Trial::record(Scale& input, Scale& output, Tape& tape, Step&& step) {
  StepGraph graph(setup_.parameters);
  tape.observe(&graph);
  const Tensor predictions = step();
  tape.observe(nullptr);
  if (input && !reads_scaled(graph, *input, batch_.inputs)) input = nullptr;
  if (output && !writes_scaled(graph, *output, predictions)) output = nullptr;
}

void Trial::check(Scale& input, Scale& output) {
  {
    Tape tape(Mode::train, rehearsal_.random());
    StepOutput made;
    record(input, output, tape, [&] {
      made = setup_.training_output(batch_, 0);
      return made.predictions;
    });
    // A subclass may add terms to the loss, in units of its own.
    if (output && loss_of(made.predictions, batch_.targets) != static_cast<double>(made.loss.item())) output = nullptr;
  }
  try {
    Tape tape(Mode::eval);
    record(input, output, tape, [&] { return setup_.recipe.validation_step(batch_).predictions; });
    record(input, output, tape, [&] { return setup_.recipe.predict_step(batch_.inputs); });
  } catch (const Error&) {
    input = output = nullptr;  // a program that is not of the usual kind, or is wrong: later checks name it
  }
}

bool is_table(const Tensor& values) { return values.shape().rank() == 2 && values.size() > 0; }

// "13 columns, deviations 0.12 to 314", or "1 column, deviation 314"
std::string text_of(const nn::Standardize& scale) {
  const auto [low, high] = std::ranges::minmax(scale.inverse.span());
  const std::string smallest = short_form(1 / static_cast<double>(high), 3),
                    largest = short_form(1 / static_cast<double>(low), 3);
  return concat(counted(scale.mean.size(), "column"),
                smallest == largest ? ", deviation " : concat(", deviations ", smallest, " to "), largest);
}

// What of the data is raw.
struct Raw {
  bool inputs, targets;
};

// Fits scales for what is raw, and gives the model those that are right for it. Returns what is raw still.
Raw give_scales(Setup& setup, nn::Layer& layer, const Position& at, Stop& stop, const DataPart& train, Raw raw) {
  constexpr Index max_rows = 20'000;
  const Rows sample = sample_rows(train, max_rows);
  const Batch rows = gather(train, sample.numbers());
  const bool inputs = raw.inputs && is_table(rows.inputs);
  const bool targets = raw.targets && is_table(rows.targets) && setup.loss->is_distance();
  if (!inputs && !targets) return raw;
  if (first_non_finite(rows.inputs.span()) >= 0 || first_non_finite(rows.targets.span()) >= 0) return raw;
  Scale input, output;
  if (inputs) {
    const auto scale = [&](bool robust) {
      return std::make_shared<const nn::Standardize>(nn::Standardize::fit(rows.inputs, {.robust = robust}));
    };
    input = scale(true);
    if (std::ranges::all_of(input->bend.span(), [](Scalar bend) { return bend == 0; })) input = scale(false);
  }
  // Losses are in the units of the targets: outliers whose squares overflow must not become their scale.
  if (targets && is_finite(loss_of_mean(*setup.loss, rows.targets)))
    output = std::make_shared<const nn::Standardize>(nn::Standardize::fit(rows.targets, {.invert = true}));
  {
    Trial trial(setup, at, stop);
    if (trial.is_trained()) return raw;
    const ScalesAside before(layer);
    if (input) layer.set_input_scale(input);
    if (output) layer.set_output_scale(output);
    trial.check(input, output);
  }
  if (input) layer.set_input_scale(input);
  if (output) layer.set_output_scale(output);
  setup.take_scales();
  return {.inputs = raw.inputs && !input, .targets = raw.targets && !output};
}

}  // namespace

std::vector<Anomaly> standardise(Setup& setup, const Position& at, Stop& stop, const DataPart& train) {
  auto* layer = dynamic_cast<nn::Layer*>(&setup.model);
  const auto is_trained = [](const Parameter& p) { return p.tensor.requires_grad(); };
  const bool acts = setup.options.standardize && layer && setup.loss && !train.rows.dataset().is_raw() &&
                    std::ranges::any_of(setup.parameters, is_trained);
  std::vector<Anomaly> found;
  if (!acts && !setup.options.checks.input_scale) return found;
  std::optional<Anomaly> inputs, targets;
  if (!normalises_inputs(setup.model)) inputs = check_input_scale(train);
  if (setup.info.task == Task::regression && !(layer && layer->output_scale())) targets = check_target_scale(train);
  Raw raw{.inputs = inputs.has_value(), .targets = targets.has_value()};
  if (acts && (raw.inputs || raw.targets)) raw = give_scales(setup, *layer, at, stop, train, raw);
  if (raw.inputs) found.push_back(std::move(*inputs));
  if (raw.targets) found.push_back(std::move(*targets));
  return found;
}

void standardise(Setup& setup, const Position& at, Stop& stop) {
  const Rows& rows = *setup.data.all_train;
  const auto& preview = setup.data.train_preview;
  if (!setup.options.standardize || (!preview && !rows.dataset().in_memory())) return;
  standardise(setup, at, stop,
              {.rows = preview ? preview->kept(rows) : rows, .normalization = setup.info.normalization});
}

std::vector<SummaryItem> describe_scales(const nn::Module& model) {
  std::vector<SummaryItem> lines;
  const auto* layer = dynamic_cast<const nn::Layer*>(&model);
  if (!layer) return lines;
  if (const auto& scale = layer->input_scale())
    lines.push_back({"inputs standardised", text_of(*scale) + (scale->options().robust ? ", robustly" : "")});
  if (const auto& scale = layer->output_scale())
    lines.push_back({"targets standardised", text_of(*scale) + "; losses and predictions are in their units"});
  return lines;
}

}  // namespace handrail::train
