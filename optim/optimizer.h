#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/optim/param_group.h>

namespace handrail::optim {

/// What an optimizer remembers of one parameter.
struct ParamState {
  std::int64_t t = 0;         // updates made
  std::vector<Tensor> slots;  // moments and the like, of the parameter's shape
};
/// By parameter name.
using OptimizerState = std::map<std::string, ParamState>;

/// A measurement of the gradients and weights of one layer.
struct LayerMeasure {
  std::string name;
  double grad_norm;                  // Euclidean, as in layer_norms()
  double grad_mean;                  // of the elements with their signs
  double grad_max;                   // of the magnitudes
  double weight_norm;                // of all its parameters together
  std::optional<double> dead_units;  // share of units whose gradient is all zero, of a layer that has units
};

/// The layer of a parameter: "encoder.0" of "encoder.0.weight", and the whole of a name without a dot.
std::string_view layer_of(std::string_view parameter);

/// The base of all optimizers: groups, slots and counts live here, a rule is one pure function.
///
///   optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
///   optimizer.zero_grad();  ...  optimizer.step(schedule(k));
///
/// The rate is an argument of every step, never hidden state. A parameter without a gradient is left
/// alone, and its count t does not move. Denormals are flushed to zero during a step.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// "AdamW", say.
  virtual const char* name() const = 0;
  /// The name and the options of the rule, for summaries and to tell whether a run goes on with the same.
  virtual std::string settings() const { return name(); }
  /// The rate to start from when nobody gave one.
  virtual double default_lr() const = 0;

  /// Forgets all gradients.
  void zero_grad();
  /// One update at that rate. Gradients are multiplied by `grad_scale` on the way: a clip without a
  /// pass of its own. Throws OptionError on a rate or scale that is negative or not finite; TapeError
  /// when no parameter has a gradient; NonFiniteError naming the parameter when weights or slots would
  /// not be finite afterwards. When it throws, parameters, slots and counts are as they were before; for
  /// that, weights must not be written through a pointer from before the last step, which nobody notices.
  /// Without check_finite the update is made whatever comes of it.
  void step(double lr, double grad_scale = 1, bool check_finite = true);
  /// The Euclidean norm of all gradients together, accumulated in double in a fixed order. Not finite
  /// exactly when one of the gradients is not.
  double grad_norm();

  /// The layers: what layer_of() makes of the parameters' names, in the order of the model when each
  /// group has the order of the model.
  const std::vector<std::string>& layers() const { return layers_; }
  /// The gradient norm of each layer as the last grad_norm() found it, in the order of layers().
  std::span<const double> layer_norms() const { return layer_norms_; }
  /// More about each layer, in a pass over gradients and weights: for now and then, not for every step.
  /// The units of a layer are the elements of its bias [out], or else the columns of its weight [in, out].
  std::vector<LayerMeasure> measure_layers();
  /// The same, into memory of an earlier measurement.
  void measure_layers(std::vector<LayerMeasure>& layers);

  std::span<const ParamGroup> groups() const { return groups_; }
  /// A copy of what it remembers.
  OptimizerState state() const;
  /// Throws CheckpointError listing every parameter that is missing or does not fit; then nothing has
  /// changed.
  void load_state(const OptimizerState& state);

 protected:
  static constexpr std::size_t max_slots = 2;
  /// A piece of one parameter: elements of all spans belong together.
  struct Piece {
    std::span<Scalar> weights;
    std::span<const Scalar> gradient;
    std::array<std::span<Scalar>, max_slots> slots;
  };
  using Corrections = std::array<double, 2>;
  struct Step {
    double rate;
    double weight_decay;
    double grad_scale;
    std::int64_t t;           // 1 for the first update of this parameter
    Corrections corrections;  // of t
  };

  /// Throws OptionError on no parameters, two of one name or of one tensor, or options out of range.
  Optimizer(std::vector<ParamGroup> groups, std::size_t slot_count);

  /// The rule: writes the weights and slots of a piece. Pieces come in any order and on any thread.
  virtual void update(const Piece& piece, const Step& step) const = 0;
  /// The same, and returns the largest magnitude that it wrote, NaN when there is a NaN. This one looks at
  /// what update() wrote; a rule that notes it on the way is faster.
  virtual double update_and_measure(const Piece& piece, const Step& step) const;
  /// What the rule wants of t alone, computed once for all pieces of the same t.
  virtual Corrections corrections(std::int64_t /*t*/) const { return {}; }

  static constexpr double moderate_magnitude = 1e12;
  static constexpr double moderate_factor = 1e4;
  /// Whether update() never throws and its result is finite for certain, in float, when weights, slots it
  /// made and grad_scale times the gradient are at most moderate_magnitude, and rate, weight decay and
  /// grad_scale at most moderate_factor. Then step() needs no copy to go back to; else it makes one
  /// every time.
  virtual bool bounded() const { return false; }

 private:
  struct Entry {
    const Parameter* param;
    std::size_t group;
    std::size_t layer;
    Tensor tensor;
    std::vector<Tensor> slots;
    std::int64_t t = 0;
    bool loaded = false;    // slots that no update was made with yet
    bool measured = false;  // in largest_, as of this version of the weights
    std::uint32_t weights_version = 0;
    std::uint32_t gradient_version = 0;
    const Scalar* gradient = nullptr;  // as last collected; null for none
    // Of the step under way:
    Scalar* weights = nullptr;
    std::array<Scalar*, max_slots> slot_data{};
    Step step{};
    std::vector<Scalar> kept{};  // weights and slots before it
  };
  // A range of elements of one entry; a chunk is a run of ranges worth a thread.
  struct Range {
    std::size_t entry;
    Index begin, end;
  };
  void divide_into_ranges();
  void arrange_layers();
  void collect_gradients();
  bool is_moderate(double lr, double grad_scale);
  double largest_of_gradients();
  void measure_weights();
  double update_all(double lr, double grad_scale, bool check_finite);
  void keep_copies();
  void take_back() noexcept;
  void forget_copies() noexcept;
  void fail_non_finite(bool kept);
  template <class Body>
  void for_ranges(Body&& body);
  template <class Body>
  double largest_over_ranges(Body&& body);

  std::vector<ParamGroup> groups_;
  std::vector<Entry> entries_;
  std::vector<Range> ranges_;
  std::vector<std::size_t> chunk_ends_;
  std::vector<double> partial_;  // of a norm or a largest magnitude, one a range
  std::vector<std::string> layers_;
  std::vector<double> layer_norms_;
  double largest_gradient_;  // no magnitude in the gradients collected is above it; infinite when unknown
  double largest_;           // likewise of the weights and slots measured
};

/// base^n by squaring, for bias corrections.
double power(double base, std::int64_t n);

}  // namespace handrail::optim
