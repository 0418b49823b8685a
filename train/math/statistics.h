#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace handrail::train {

/// Reads back, in order, what a state() wrote, and refuses what it could not have written. After a
/// refusal all further answers are zeros.
class StateReader {
 public:
  explicit StateReader(std::span<const double> state) : rest_(state) {}

  /// A finite number.
  double number();
  /// A whole number from 0 to `most`.
  std::int64_t count(std::int64_t most = std::int64_t{1} << 53);
  bool flag() { return count(1) == 1; }
  /// Finite numbers to that many places.
  void numbers(std::span<double> places);
  /// Whether everything was read and nothing was refused.
  bool done() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }
  void refuse() { ok_ = false; }

 private:
  std::span<const double> rest_;
  bool ok_ = true;
};

/// An exponential moving average that starts at zero and is debiased by its own count (Kingma and Ba
/// 2015, section 3): value = (1 - beta) sum beta^(t-i) x_i / (1 - beta^t). A constant series reads as
/// exactly that constant from the first value on.
class Ema {
 public:
  explicit Ema(double beta = 0.99) : beta_(beta) {}

  void add(double x) {
    power_ *= beta_;
    // The same recursion, rearranged for the debiased value.
    value_ += (x - value_) * (1 - beta_) / (1 - power_);
    if (power_ < 1e-20) power_ = 0;  // before it becomes a denormal
  }
  /// 0 before the first.
  double value() const { return value_; }

  std::vector<double> state() const { return {value_, power_}; }
  bool load_state(std::span<const double> state);
  void load(StateReader& reader);

 private:
  double beta_;
  double value_ = 0;
  double power_ = 1;  // beta^t
};

/// The last `capacity` values in one piece, oldest first: each is stored twice, half a buffer apart.
/// Memory is allocated by the constructor alone.
class Window {
 public:
  explicit Window(std::size_t capacity) : capacity_(capacity), values_(2 * capacity) {}

  void push(double x) {
    values_[next_] = values_[next_ + capacity_] = x;
    if (++next_ == capacity_) next_ = 0;
    if (size_ < capacity_) ++size_;
  }
  void clear() { next_ = size_ = 0; }
  std::size_t size() const { return size_; }
  bool full() const { return size_ == capacity_; }
  /// The newest n, at most size().
  std::span<const double> last(std::size_t n) const { return {values_.data() + next_ + capacity_ - n, n}; }
  std::span<const double> values() const { return last(size_); }
  /// Of at least one.
  double oldest() const { return values_[next_ + capacity_ - size_]; }

  void save(std::vector<double>& state) const;
  void load(StateReader& reader);

 private:
  std::size_t capacity_;
  std::size_t next_ = 0, size_ = 0;
  std::vector<double> values_;
};

/// A series of any length as the means of at most 128 pieces of it, equally long and in order: when there are
/// more, neighbours are merged. A piece that is not complete yet is left out.
class Outline {
 public:
  void push(double x) {
    sum_ += x;
    if (++inside_ == piece_) [[unlikely]]
      close();
  }
  void clear() { *this = {}; }
  std::span<const double> means() const { return {means_.data(), count_}; }
  /// The number of values to a piece.
  std::int64_t piece() const { return piece_; }

  void save(std::vector<double>& state) const;
  void load(StateReader& reader);

 private:
  void close();

  std::array<double, 128> means_{};
  std::size_t count_ = 0;
  std::int64_t piece_ = 1, inside_ = 0;
  double sum_ = 0;  // of the piece under way
};

/// What losses were like at the start: statistics of the first ten.
class InitialLoss {
 public:
  static constexpr std::size_t wanted = 10;

  void add(double loss) {
    if (count_ < wanted) [[unlikely]]
      note(loss);
  }
  bool known() const { return count_ == wanted; }
  /// 0 before the first.
  double mean() const { return mean_; }
  /// The mean of the absolute values, which is sane for losses that are negative or around zero.
  double magnitude() const { return magnitude_; }
  /// The median of the first three, before training can have changed much; 0 before.
  double opening() const { return opening_; }
  /// The standard deviation; 0 before the second.
  double spread() const { return spread_; }

  void save(std::vector<double>& state) const;
  void load(StateReader& reader);

 private:
  void note(double loss);

  std::array<double, wanted> losses_{};
  std::size_t count_ = 0;
  double mean_ = 0, magnitude_ = 0, opening_ = 0, spread_ = 0;
};

/// A mean and how far it can be trusted.
struct Moments {
  double mean;
  double error;  // standard error of the mean; 0 for a single value
};
/// values: at least one.
Moments moments(std::span<const double> values);

/// The median; the mean of the middle two for an even count. Reorders the values: at least one, finite.
double median(std::span<double> values);

/// The middle and width of values that may contain outliers.
struct RobustScale {
  double median;
  double scale;  // 1.4826 times the median absolute deviation: the standard deviation, were they normal
};
/// Overwrites the values: at least one, finite.
RobustScale robust_scale(std::span<double> values);

/// The value below which that share of the values lies. Reorders them: at least one, finite.
double quantile(std::span<double> values, double share);

/// A straight line through values at equal distances, by ordinary least squares.
struct LineFit {
  double mean = 0;
  double slope = 0;        // from one value to the next
  double slope_error = 0;  // its standard error; that of independent residuals times sqrt((1 + rho) / (1 - rho))
  double correlation = 0;  // rho: of neighbouring residuals, clamped to [0, 0.95]
  /// How many independent values would say as much.
  double effective_count = 0;
};
/// values: finite, oldest first; all zeros for fewer than three.
LineFit fit_line(std::span<const double> values);

}  // namespace handrail::train
