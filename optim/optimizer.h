#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/optim/param_group.h>

/// Optimizers, and schedules of the learning rate.
namespace handrail::optim {

/// The state of an optimizer for one parameter.
struct ParamState {
  std::int64_t t = 0;         // updates made
  std::vector<Tensor> slots;  // such as moments, each of the parameter's shape
};
/// The state of an optimizer by parameter name.
using OptimizerState = std::map<std::string, ParamState>;

/// A number of an update rule, such as {"momentum", 0.9}.
struct Hyperparameter {
  const char* name;  // a string literal
  double value;      // 0 or 1 for a flag
};

/// How the learning rate should grow with the batch size: in proportion to it, or to its square root.
enum class BatchScaling { linear, sqrt };

/// A measurement of the gradients and weights of one layer.
struct LayerMeasure {
  std::string name;    // as in Optimizer::layers()
  double grad_norm;    // Euclidean norm of all gradients of the layer, as in layer_norms()
  double grad_mean;    // mean of all gradient elements, with their signs
  double grad_max;     // largest magnitude of a gradient element
  double weight_norm;  // Euclidean norm of all parameters of the layer
  // The share of units whose gradient is all zero, from 0 to 1. The units are the elements of the bias [out] or,
  // without one, the columns of the weight [in, out]. Empty for a layer without either or without their gradients.
  std::optional<double> dead_units;
};

/// The name of the layer that a parameter belongs to: "encoder.0" for "encoder.0.weight". A name without a dot is its
/// own layer.
std::string_view layer_of(std::string_view parameter);

/// The base of all optimizers. It holds the groups, the slots and the update counts; a subclass writes the update rule
/// as one function without side effects.
///
///   optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
///   optimizer.zero_grad();  ...  optimizer.step(schedule(k));
///
/// The rate is an argument of every step, never hidden state. A step changes neither a parameter without a gradient nor
/// its update count. Denormals are flushed to zero during a step.
///
/// Threads: one thread at a time may call an optimizer. It uses the library's threads.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// The name of the rule, such as "AdamW".
  virtual const char* name() const = 0;
  /// The name and the options of the rule as text. It is shown in summaries, and a resumed run must have the same.
  virtual std::string settings() const { return name(); }
  /// The numbers of the rule, for checks whether they are usual: "momentum", "beta1", "beta2" and "eps" are looked at,
  /// "scaled_penalty": 1 when weight decay is a penalty in the gradient that the rule divides by its size, and
  /// "penalty_in_gradient": 1 when it is one that the rule does not scale.
  virtual std::vector<Hyperparameter> hyperparameters() const { return {}; }
  /// The learning rate to use when the user gives none and none is found.
  virtual double default_lr() const = 0;
  /// The highest learning rate that is worth trying in a sweep.
  virtual double max_lr() const { return 10; }
  /// How the learning rate should grow with the batch size. The default is linear, the rule for plain gradient descent
  /// (Goyal et al. 2017). A rule that divides the gradient by its own size, as Adam does, should return sqrt.
  virtual BatchScaling batch_scaling() const { return BatchScaling::linear; }

  /// Forgets all gradients.
  void zero_grad();
  /// Updates all parameters that have a gradient, at the learning rate `lr`. Gradients are multiplied by `grad_scale`
  /// first, which clips them without a pass of its own (see clip_scale).
  /// Throws OptionError when lr or grad_scale is negative or not finite; TapeError when no parameter has a gradient;
  /// NonFiniteError naming the parameter when the update would leave a weight or slot that is not finite. When it
  /// throws, parameters, slots and counts are as they were before. This does not hold for weights that were written
  /// through a pointer obtained before the last step, as such a write is not noticed.
  /// With check_finite false, nothing is checked and the update is made in any case.
  void step(double lr, double grad_scale = 1, bool check_finite = true);
  /// The Euclidean norm of all gradients together, summed in double in a fixed order. It is finite exactly when all
  /// gradients are.
  double grad_norm();

  /// The names of the layers, from layer_of() of each parameter. They are in the order of the model when the parameters
  /// of each group are.
  const std::vector<std::string>& layers() const { return layers_; }
  /// The gradient norm of each layer, in the order of layers(), as of the last grad_norm().
  std::span<const double> layer_norms() const { return layer_norms_; }
  /// Measures each layer, in the order of layers(). It reads all gradients and weights, so it takes too long to do in
  /// every step.
  std::vector<LayerMeasure> measure_layers();
  /// As above, but writes into `layers` and so uses its memory again.
  void measure_layers(std::vector<LayerMeasure>& layers);

  /// How many updates step() has made, or tried to make.
  std::int64_t updates() const { return updates_; }
  /// The learning rate that was given to the last of them; 0 before the first.
  double last_lr() const { return last_lr_; }
  /// Expires when the optimizer is destroyed, for code that watches it.
  std::weak_ptr<const void> lifetime() const { return lifetime_; }

  /// The groups in the order in which they were given, valid while the optimizer lives.
  std::span<const ParamGroup> groups() const { return groups_; }
  /// A copy of the state of every parameter.
  OptimizerState state() const;
  /// As above, but writes into `state` and so uses its memory again.
  void state(OptimizerState& state) const;
  /// Whether all slots are finite. An update that step() has checked leaves them so.
  bool has_finite_slots() const;
  /// Replaces the state by a copy of `state`. Throws CheckpointError listing every parameter that is missing, unknown
  /// or does not fit; nothing is changed then. A state that fits is loaded without memory from the heap.
  void load_state(const OptimizerState& state);

 protected:
  /// How many slots a rule may have for each parameter.
  static constexpr std::size_t max_slots = 2;
  /// A range of the elements of one parameter. Element i of each span belongs to the same weight.
  struct Piece {
    std::span<Scalar> weights;                       // to be updated in place
    std::span<const Scalar> gradient;                // to be multiplied by Step::grad_scale
    std::array<std::span<Scalar>, max_slots> slots;  // empty beyond the slot_count of the rule
  };
  /// What a rule computes from t alone, such as the bias corrections of Adam.
  using Corrections = std::array<double, 2>;
  /// The figures of one update of one parameter.
  struct Step {
    double rate;              // the learning rate times the group's lr_scale
    double weight_decay;      // of the group; the rule says where it acts
    double grad_scale;        // to multiply the gradient by
    std::int64_t t;           // 1 for the first update of this parameter
    Corrections corrections;  // corrections(t)
  };

  /// Each parameter gets `slot_count` slots, at most max_slots, which start at zero. Throws OptionError listing every
  /// problem: no parameters, two with one name or one tensor, lr_scale or weight_decay negative or not finite.
  Optimizer(std::vector<ParamGroup> groups, std::size_t slot_count);

  /// The rule: updates the weights and slots of a piece in place. It is called for the pieces in any order, on several
  /// threads at once.
  virtual void update(const Piece& piece, const Step& step) const = 0;
  /// Calls update() and returns the largest magnitude in the weights and slots of the piece, NaN when one is NaN. A
  /// rule may override it to find that magnitude while it writes, which is faster than a second pass.
  virtual double update_and_measure(const Piece& piece, const Step& step) const;
  /// Computed once for all pieces of the same t, the count of updates from 1.
  virtual Corrections corrections(std::int64_t /*t*/) const { return {}; }

  /// The limits that bounded() speaks of.
  static constexpr double moderate_magnitude = 1e12;
  static constexpr double moderate_factor = 1e4;
  /// Whether the rule promises that update() never throws and leaves finite values in float, provided that weights,
  /// slots and grad_scale times the gradient are at most moderate_magnitude, and that rate, weight decay and grad_scale
  /// are at most moderate_factor. With the promise, step() makes a copy to go back to only beyond these limits; without
  /// it, in every step.
  virtual bool bounded() const { return false; }

 private:
  struct Entry {
    const Parameter* param;
    std::size_t group;
    std::size_t layer;
    Tensor tensor;
    std::vector<Tensor> slots;
    std::int64_t t = 0;
    bool loaded = false;    // the slots are from load_state() and no update was made with them yet
    bool measured = false;  // largest_ covers it, as of weights_version
    std::uint32_t weights_version = 0;
    std::uint32_t gradient_version = 0;
    const Scalar* gradient = nullptr;  // as of the last collect_gradients(); null for none
    // These are set during a step:
    Scalar* weights = nullptr;
    std::array<Scalar*, max_slots> slot_data{};
    Step step{};
    std::vector<Scalar> kept{};  // weights and slots before the step
  };
  // A range of elements of one entry. A chunk, the work of one thread, is a run of ranges.
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

  std::shared_ptr<const void> lifetime_ = std::make_shared<const char>();
  std::int64_t updates_ = 0;
  double last_lr_ = 0;
  std::vector<ParamGroup> groups_;
  std::vector<Entry> entries_;
  std::vector<Range> ranges_;
  std::vector<std::size_t> chunk_ends_;
  std::vector<double> partial_;  // one for each range: its part of a norm or its largest magnitude
  std::vector<std::string> layers_;
  std::vector<double> layer_norms_;
  double largest_gradient_;  // an upper bound of the magnitudes in the collected gradients; infinite when unknown
  double largest_;  // an upper bound of the magnitudes in the measured weights and slots; infinite when unknown
};

/// base^n for n >= 0, by squaring: the same bits on every platform, unlike std::pow.
double power(double base, std::int64_t n);

}  // namespace handrail::optim
