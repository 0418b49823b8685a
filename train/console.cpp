#include <handrail/train/console.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include <handrail/train/text.h>

namespace handrail::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// 1:02:03, or 2:03
std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  char text[32];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60), static_cast<long long>(whole % 60));
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  return text;
}

class Console final : public LogSink {
 public:
  explicit Console(std::FILE* stream) : stream_(stream), terminal_(is_terminal(stream)) {}

  void fit_start(const FitStart& event) override {
    start_ = last_ = last_epoch_ = Clock::now();
    epochs_ = event.epochs;
    batches_per_epoch_ = event.batches_per_epoch;
    first_ = samples_ = 0;
    best_ = false;
    std::size_t width = 0;
    for (const SummaryItem& item : event.summary) width = std::max(width, item.name.size());
    for (const SummaryItem& item : event.summary)
      std::fprintf(stream_, "%-*s  %s%s\n", static_cast<int>(width), item.name.c_str(), item.off ? "off: " : "",
                   item.value.c_str());
    std::fflush(stream_);
  }

  void step_end(const StepStats& stats) override {
    const Index done = (stats.epoch - 1) * batches_per_epoch_ + stats.batch;
    if (samples_ == 0) first_ = done - 1;  // a resumed run has some behind it
    samples_ += stats.samples;
    const double wait = terminal_ ? 0.1 : 10;
    if (seconds_since(last_) < wait) return;
    last_ = Clock::now();
    const double elapsed = seconds_since(start_);
    const double left =
        elapsed / static_cast<double>(done - first_) * static_cast<double>(epochs_ * batches_per_epoch_ - done);
    // Short strings and printf alone: a step must not call the heap.
    const std::string rate = grouped(static_cast<std::int64_t>(static_cast<double>(samples_) / elapsed));
    if (!terminal_) {
      std::fprintf(stream_, "epoch %td/%td  step %s  loss %.4f  lr %.2e  %s samples/s  %s left\n", stats.epoch, epochs_,
                   grouped(stats.step).c_str(), stats.ema_loss, stats.lr, rate.c_str(), clock_text(left).c_str());
    } else {
      constexpr int cells = 24;
      const int filled = static_cast<int>(cells * stats.batch / batches_per_epoch_);
      constexpr std::string_view full = "========================", empty = "                        ";
      std::fprintf(stream_, "\repoch %td/%td [%.*s>%.*s] %td/%td  loss %.4f  lr %.2e  %s samples/s  %s left\x1b[K",
                   stats.epoch, epochs_, filled, full.data(), cells - filled, empty.data(), stats.batch,
                   batches_per_epoch_, stats.ema_loss, stats.lr, rate.c_str(), clock_text(left).c_str());
      bar_ = true;
    }
    std::fflush(stream_);
  }

  void epoch_end(const EpochStats& stats) override {
    // All epochs when they are long; about twenty of them when they fly past.
    const Index every = (epochs_ + 19) / 20;
    const bool due = stats.epoch == 1 || stats.epoch == epochs_ || stats.epoch % every == 0;
    if (!due && seconds_since(last_epoch_) < 1) return;
    last_epoch_ = Clock::now();
    clear_bar();
    std::fprintf(stream_, "epoch %td/%td  loss %.4f", stats.epoch, epochs_, stats.train_loss);
    for (const MetricValue& metric : stats.metrics) print("train_", metric);
    if (stats.validation) {
      std::fprintf(stream_, "  val_loss %.4f", stats.validation->loss);
      if (const auto accuracy = stats.validation->measured_accuracy)
        std::fprintf(stream_, "  val_accuracy %.4f", *accuracy);
      for (const MetricValue& metric : stats.validation->metrics) print("val_", metric);
    }
    const bool fast = stats.seconds < 0.1;
    std::fprintf(stream_, "  lr %.2e  %.*f %s%s\n", stats.lr, fast ? 1 : 2, stats.seconds * (fast ? 1e3 : 1),
                 fast ? "ms" : "s", std::exchange(best_, false) ? "  best" : "");
    std::fflush(stream_);
  }

  void evaluated(const EvaluationStats& stats) override { best_ = stats.best; }

  // A few of a kind are news, more are noise: fit_end counts them.
  void anomaly(const Anomaly& event) override {
    constexpr std::int64_t most_of_a_kind = 5;
    const bool acted = event.action > Action::skip;
    if (++anomalies_[event.name] > most_of_a_kind && !acted) return;
    clear_bar();
    if (event.step > 0)
      std::fprintf(stream_, "warning: step %lld: %s: %s\n", static_cast<long long>(event.step), event.name.c_str(),
                   event.text().c_str());
    else
      std::fprintf(stream_, "warning: %s: %s\n", event.name.c_str(), event.text().c_str());
    std::fflush(stream_);
  }

  void fit_end(const FitResult& result) override {
    clear_bar();
    std::fprintf(stream_, "%s: %td epochs, %s steps, ", to_string(result.reason), result.epochs,
                 grouped(result.steps).c_str());
    if (result.skipped > 0) std::fprintf(stream_, "%s skipped, ", grouped(result.skipped).c_str());
    std::fprintf(stream_, "%s\n", clock_text(result.seconds).c_str());
    if (result.best)
      std::fprintf(stream_, "best evaluation: epoch %td, value %.4f%s\n", result.best->epoch, result.best->value,
                   result.best_restored ? ", its weights restored" : "");
    if (!result.anomaly_counts.empty()) {
      std::fputs("anomalies:", stream_);
      for (const auto& [name, count] : result.anomaly_counts)
        std::fprintf(stream_, " %s %lld", name.c_str(), static_cast<long long>(count));
      std::fputs("\n", stream_);
    }
    // A single warning has been read already.
    const auto causes = result.diagnosis();
    if (causes.size() > 1 || (!causes.empty() && (result.reason == StopReason::guard || result.rollbacks > 0)))
      std::fprintf(stream_, "likely cause: %s: %s\n", causes[0].name.c_str(), causes[0].text().c_str());
    anomalies_.clear();
    if (!result.checkpoint.empty())
      std::fprintf(stream_, "checkpoint: %s%s\n", result.checkpoint.c_str(),
                   !result.checkpoint_problem.empty()         ? ", of an earlier state"
                   : result.reason == StopReason::interrupted ? ", to resume from"
                                                              : "");
    if (!result.checkpoint_problem.empty()) std::fprintf(stream_, "NOT SAVED: %s\n", result.checkpoint_problem.c_str());
    std::fflush(stream_);
  }

 private:
  void print(const char* prefix, const MetricValue& metric) {
    std::fprintf(stream_, "  %s%s %.4f", prefix, metric.name.c_str(), metric.value);
  }
  static bool is_terminal(std::FILE* stream) {
    const char* kind = std::getenv("TERM");
    return isatty(fileno(stream)) == 1 && kind && std::string_view(kind) != "dumb";
  }
  void clear_bar() {
    if (bar_) std::fputs("\r\x1b[K", stream_);
    bar_ = false;
  }

  std::FILE* stream_;
  bool terminal_;
  bool bar_ = false;
  bool best_ = false;
  std::map<std::string, std::int64_t> anomalies_;
  Index epochs_ = 0, batches_per_epoch_ = 0, first_ = 0, samples_ = 0;
  Clock::time_point start_, last_, last_epoch_;
};

}  // namespace

std::shared_ptr<LogSink> console(std::FILE* stream) { return std::make_shared<Console>(stream); }

}  // namespace handrail::train
