#include <handrail/train/report/console.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/terminal.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/internal/console_lines.h>

namespace handrail::train {
namespace {

using Clock = std::chrono::steady_clock;

// Escape sequences of terminals (ECMA-48, SGR).
constexpr const char *red = "\x1b[31m", *yellow = "\x1b[33m", *plain = "\x1b[0m";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Console final : public LogSink {
 public:
  explicit Console(std::FILE* stream)
      : stream_(stream), terminal_(is_terminal(stream)), colours_(has_colours(stream)), live_(stream) {
    line_.reserve(256);  // a step must not call the heap
  }

  void fit_start(const FitStart& event) override {
    start_ = last_ = last_epoch_ = Clock::now();
    at_.epochs = event.epochs;
    at_.batches_per_epoch = event.batches_per_epoch;
    at_.first = at_.samples = 0;
    best_ = false;
    val_loss_.reset();
    norms_ = {};
    activity_.what.clear();
    summary_width_ = 0;
    print(event.summary);
  }

  void activity(const Activity& event) override {
    constexpr double first_report = 2, report_interval = 10;
    const bool begins = activity_.what != event.what || event.done < activity_.done;
    if (begins) {
      activity_.what = event.what;
      activity_.start = Clock::now();
      activity_.is_reported = false;
    }
    activity_.done = event.done;
    if (terminal_) {
      if (!redraw_due()) return;
      const std::size_t limit = columns();
      live_.draw(activity_line(event, limit), limit);
    } else {
      if (seconds_since(activity_.start) < first_report ||
          (activity_.is_reported && seconds_since(last_) < report_interval))
        return;
      activity_.is_reported = true;
      last_ = Clock::now();
      if (event.total > 0)
        print(concat(event.what, ": ", grouped(event.done), " of ", grouped(event.total)));
      else
        print(concat(event.what, ": ", grouped(event.done)));
    }
    std::fflush(stream_);
  }

  void train_start(const TrainStart& event) override {
    live_.clear();
    print(event.found);
    start_ = last_ = last_epoch_ = Clock::now();
    at_.first = at_.samples = 0;
  }

  void step_end(const StepStats& stats) override {
    const Index done = (stats.epoch - 1) * at_.batches_per_epoch + stats.batch;
    if (at_.samples == 0) at_.first = done - 1;  // a resumed run does not count the steps before
    at_.samples += stats.samples;
    at_.batch = stats.batch;
    if (stats.updated) norms_.sum += stats.grad_norm, ++norms_.count;
    constexpr double line_interval = 10;
    if (terminal_ ? !redraw_due() : seconds_since(last_) < line_interval) return;
    last_ = Clock::now();
    const double elapsed = seconds_since(start_);
    const double left = elapsed / static_cast<double>(std::max<Index>(done - at_.first, 1)) *
                        static_cast<double>(at_.epochs * at_.batches_per_epoch - done);
    const StepProgress progress{.epoch = stats.epoch,
                                .epochs = at_.epochs,
                                .batch = stats.batch,
                                .batches = at_.batches_per_epoch,
                                .loss = stats.ema_loss,
                                .val_loss = val_loss_,
                                .lr = stats.lr,
                                .grad_norm = stats.grad_norm,
                                .samples_per_second = static_cast<double>(at_.samples) / elapsed,
                                .seconds_left = left};
    if (terminal_) {
      const std::size_t limit = columns();
      progress_line(line_, progress, limit);
      live_.draw(line_, limit);
    } else {
      std::fprintf(stream_, "epoch %td/%td  step %s  loss %s  lr %s  grad_norm %s  %s samples/s  %s left\n",
                   stats.epoch, at_.epochs, grouped(stats.step).c_str(), four_digits(progress.loss).c_str(),
                   four_digits(progress.lr).c_str(), four_digits(progress.grad_norm).c_str(),
                   grouped(static_cast<std::int64_t>(progress.samples_per_second)).c_str(), clock_text(left).c_str());
    }
    std::fflush(stream_);
  }

  void epoch_end(const EpochStats& stats) override {
    const auto norms = std::exchange(norms_, {});
    // Every epoch that ends a second or more after the last line, and else about twenty epochs of the run.
    const Index every = (at_.epochs + 19) / 20;
    const bool due = stats.epoch == 1 || stats.epoch == at_.epochs || stats.epoch % every == 0;
    if (!due && seconds_since(last_epoch_) < 1) return;
    last_epoch_ = Clock::now();
    live_.clear();
    const std::size_t limit = terminal_ ? columns() : unlimited_columns;
    const auto norm = norms.count > 0 ? std::optional(norms.sum / norms.count) : std::nullopt;
    std::fprintf(stream_, "%s\n", epoch_line(stats, norm, at_.epochs, std::exchange(best_, false), limit).c_str());
    std::fflush(stream_);
  }

  // An evaluation at the end of an epoch has no line of its own: its figures are on the line of the epoch.
  void evaluated(const EvaluationStats& stats) override {
    best_ = stats.best;
    val_loss_ = stats.evaluation.loss;
    if (at_.batch == at_.batches_per_epoch || seconds_since(last_epoch_) < 1) return;
    last_epoch_ = Clock::now();
    live_.clear();
    print(concat("step ", grouped(stats.step), evaluation_text(stats.evaluation, "val_"),
                 std::exchange(best_, false) ? "  best" : ""));
    std::fflush(stream_);
  }

  // Prints the first warnings of each name, and all that made the run do more than skip a step. fit_end counts all.
  void anomaly(const Anomaly& event) override {
    if (event.severity == Severity::note) return;
    constexpr std::int64_t max_of_a_name = 5;
    const bool acted = event.action > Action::skip;
    if (++anomalies_[event.name] > max_of_a_name && !acted) return;
    print("warning: " + event.headline(), 2, event.action >= Action::rollback ? red : yellow);
    std::fflush(stream_);
  }

  void fit_end(const FitEnd& result) override {
    std::string line = concat(to_string(result.reason), ": ", counted(result.epochs, "epoch"), ", ",
                              counted(result.steps, "step"), ", ");
    if (result.skipped > 0) line += concat(grouped(result.skipped), " skipped, ");
    print(line + clock_text(result.seconds));
    if (result.best)
      print(concat("best evaluation: step ", grouped(result.best->step), ", epoch ", result.best->epoch, ", ",
                   result.monitor.empty() ? "value" : result.monitor, " ", four_digits(result.best->value),
                   result.best_restored ? ", its weights restored" : ""));
    if (const auto& calibration = result.calibration) print(calibration_text(*calibration));
    print_anomalies(result);
    anomalies_.clear();
    if (result.reason == StopReason::interrupted && result.checkpoint.empty())
      print("nothing was saved: there is no run to resume");
    if (!result.checkpoint.empty())
      print(concat("checkpoint: ", result.checkpoint,
                   !result.checkpoint_problem.empty()         ? ", of an earlier state"
                   : result.reason == StopReason::interrupted ? ", to resume from"
                                                              : ""));
    if (!result.checkpoint_problem.empty()) print("NOT SAVED: " + result.checkpoint_problem, 2, red);
    std::fflush(stream_);
  }

  void repair(const RepairAttempt& attempt) override {
    const std::string what = concat("repair: ", attempt.fix, attempt.anomaly.empty() ? "" : ", for " + attempt.anomaly);
    if (!attempt.done)
      print(what + ": the run begins anew with it");
    else if (!attempt.problem.empty())
      print(concat(what, ": ", attempt.outcome()));
    else
      print(concat(what, ": val_loss ", four_digits(attempt.before), " before, ", four_digits(attempt.after),
                   " now: ", attempt.outcome()));
    std::fflush(stream_);
  }

  void refit(const Refit& refit) override {
    if (refit.rows == 0)
      print("no second fit: " + refit.reason);
    else
      print(concat("second fit: ", grouped(refit.rows), " rows, ", counted(refit.epochs, "epoch"), ", ",
                   counted(refit.steps, "step"), ", ", clock_text(refit.seconds), ", train_loss ",
                   four_digits(refit.train_loss),
                   refit.kept ? ", its weights kept" : ": the weights of the first stay: " + refit.reason));
    if (!refit.checkpoint.empty()) print("checkpoint of the second fit: " + refit.checkpoint);
    std::fflush(stream_);
  }

  void part_end(const PartEnd& part) override {
    std::string line = concat(part.kind, " ", part.number, "/", part.count);
    if (part.test)
      line += evaluation_text(*part.test, "test_");
    else if (part.fit.best && part.fit.best->evaluation.samples > 0)
      line += evaluation_text(part.fit.best->evaluation, "val_");
    line += concat("  ", to_string(part.fit.reason), ": ", counted(part.fit.epochs, "epoch"), ", ",
                   clock_text(part.fit.seconds));
    std::string warnings;
    for (const Anomaly& cause : warnings_of(part.fit))
      warnings += (warnings.empty() ? "  warnings: " : ", ") + cause.name;
    print(line + warnings);
    std::fflush(stream_);
  }

 private:
  // prefix: of the names, such as "val_".
  static std::string evaluation_text(const Evaluation& evaluation, const char* prefix) {
    std::string text = concat("  ", prefix, "loss ", four_digits(evaluation.loss));
    if (const auto accuracy = evaluation.measured_accuracy)
      text += concat("  ", prefix, "accuracy ", four_digits(*accuracy));
    for (const MetricValue& metric : evaluation.metrics)
      text += concat("  ", prefix, metric.name, " ", four_digits(metric.value));
    return text;
  }

  static std::string calibration_text(const Calibration& c) {
    if (c.rows == 0) return "not calibrated: " + c.reason;
    const std::string before = concat("temperature ", four_digits(c.temperature), ", val_loss ",
                                      four_digits(c.loss_before), ", calibration error ", four_digits(c.error_before));
    if (!c.kept) return concat("not calibrated: ", c.reason, ": ", before);
    return concat("calibrated: ", before, " before, ", four_digits(c.loss_after), " and ", four_digits(c.error_after),
                  " after");
  }

  static std::vector<Anomaly> warnings_of(const FitEnd& result) {
    auto causes = diagnosis(result.anomalies);
    std::erase_if(causes, [](const Anomaly& cause) { return cause.severity == Severity::note; });
    return causes;
  }

  std::size_t columns() const { return terminal_columns(stream_); }

  bool redraw_due() {
    constexpr double redraw_interval = 0.1;
    if (seconds_since(last_) < redraw_interval) return false;
    last_ = Clock::now();
    return true;
  }

  // Prints a line that stays. On a terminal that is too narrow for it, it is wrapped into indented lines. What comes
  // before its first colon has the colour, where there are colours.
  void print(const std::string& text, std::size_t indent = 2, const char* colour = "") {
    const std::string line = printable(text);
    live_.clear();
    std::string lines = terminal_ ? wrapped(line, columns(), indent) : line;
    if (const std::size_t colon = lines.find(':'); colours_ && *colour && colon != std::string::npos) {
      lines.insert(colon, plain);
      lines.insert(0, colour);
    }
    std::fprintf(stream_, "%s\n", lines.c_str());
  }

  // Prints lines of the summary. Their values are aligned with each other and with the lines printed before.
  void print(const std::vector<SummaryItem>& items) {
    for (const SummaryItem& item : items) summary_width_ = std::max(summary_width_, item.name.size());
    const std::size_t value_column = summary_width_ + 2;
    constexpr std::size_t narrow_indent = 4, min_value_width = 16;
    const std::size_t indent = value_column + min_value_width <= columns() ? value_column : narrow_indent;
    for (const SummaryItem& item : items)
      print(concat(item.name, std::string(value_column - item.name.size(), ' '), item.off ? "off: " : "",
                   item.limit ? "LIMITED: " : "", item.value),
            indent);
    std::fflush(stream_);
  }

  void print_anomalies(const FitEnd& result) {
    const auto causes = warnings_of(result);
    if (causes.empty()) return;
    std::string counts = "anomalies:";
    for (const auto& [name, count] : result.anomaly_counts)
      if (std::ranges::find(causes, name, &Anomaly::name) != causes.end())
        counts += concat(counts.ends_with(':') ? " " : ", ", name, " ", grouped(count));
    print(counts);
    // A single warning is on the screen already. The likely cause is repeated when a guard made the run return or stop.
    if (causes.size() > 1 || result.reason == StopReason::guard || result.rollbacks > 0)
      print(concat("likely cause: ", causes[0].headline()));
    print("details: FitResult::diagnosis_text()");
  }

  std::FILE* stream_;
  bool terminal_, colours_;
  LiveLine live_;
  std::string line_;
  std::size_t summary_width_ = 0;
  bool best_ = false;
  std::optional<double> val_loss_;  // of the last evaluation
  // The activity that was reported last.
  struct {
    std::string what;
    Index done = 0;
    bool is_reported = false;
    Clock::time_point start;
  } activity_;
  std::map<std::string, std::int64_t> anomalies_;
  // The gradient norms of the updates since the end of the last epoch.
  struct Norms {
    double sum = 0, count = 0;
  } norms_;
  // Progress: `first` is the number of batches before this session, `samples` counts the samples of this session.
  struct {
    Index epochs = 0, batches_per_epoch = 0, batch = 0, first = 0, samples = 0;
  } at_;
  Clock::time_point start_, last_, last_epoch_;
};

}  // namespace

LogSinks default_sinks() { return {console()}; }

std::shared_ptr<LogSink> console(std::FILE* stream) { return std::make_shared<Console>(stream); }

}  // namespace handrail::train
