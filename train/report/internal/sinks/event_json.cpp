#include <handrail/train/report/internal/sinks/event_json.h>

#include <chrono>
#include <cstddef>
#include <optional>

#include <nlohmann/json.hpp>

namespace handrail::train {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json begin_event(const char* name) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return {{"event", name}, {"time", static_cast<double>(ms) / 1000}};
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json items(const std::vector<SummaryItem>& summary) {
  Json list = Json::array();
  for (const SummaryItem& item : summary)
    list.push_back({{"name", item.name}, {"value", item.value}, {"off", item.off}, {"limit", item.limit}});
  return list;
}

Json named(const std::vector<MetricValue>& metrics) {
  Json object = Json::object();
  for (const MetricValue& metric : metrics) object[metric.name] = metric.value;
  return object;
}

Json measured(const Evaluation& evaluation) {
  return {{"loss", evaluation.loss},
          {"accuracy", or_null(evaluation.measured_accuracy)},
          {"calibration_error", or_null(evaluation.measured_calibration_error)},
          {"samples", evaluation.samples},
          {"metrics", named(evaluation.metrics)}};
}
Json measured(const std::optional<Evaluation>& evaluation) { return evaluation ? measured(*evaluation) : Json(); }

const char* name_of(Action action) {
  constexpr const char* names[] = {"proceed", "skip", "reduce_lr", "rollback", "stop"};
  return names[static_cast<std::size_t>(action)];
}
const char* name_of(Rank rank) {
  constexpr const char* names[] = {"machine", "setup", "bad_row", "blow_up", "pace", "labels", "outcome", "symptom"};
  return names[static_cast<std::size_t>(rank)];
}
const char* name_of(StopReason reason) {
  constexpr const char* names[] = {"finished",  "early_stopping", "max_time", "guard",
                                   "requested", "interrupted",    "exception"};
  return names[static_cast<std::size_t>(reason)];
}

Json fields(const Anomaly& anomaly) {
  return {{"name", anomaly.name},           {"severity", anomaly.severity == Severity::warning ? "warning" : "note"},
          {"step", anomaly.step},           {"where", anomaly.where},
          {"evidence", anomaly.evidence},   {"cause", anomaly.cause},
          {"remedy", anomaly.remedy},       {"action", name_of(anomaly.action)},
          {"lr_factor", anomaly.lr_factor}, {"details", anomaly.details},
          {"rank", name_of(anomaly.rank)},  {"effects", anomaly.effects}};
}

Json fields(const RepairAttempt& attempt) {
  return {{"fix", attempt.fix},
          {"anomaly", attempt.anomaly},
          {"before", attempt.before},
          {"done", attempt.done},
          {"after", attempt.after},
          {"difference_low", attempt.difference_low},
          {"difference_high", attempt.difference_high},
          {"kept", attempt.kept},
          {"problem", attempt.problem}};
}

Json fields(const Refit& refit) {
  return {{"kept", refit.kept},       {"reason", refit.reason},        {"rows", refit.rows},
          {"epochs", refit.epochs},   {"steps", refit.steps},          {"train_loss", refit.train_loss},
          {"seconds", refit.seconds}, {"checkpoint", refit.checkpoint}};
}

Json fields(const Calibration& calibration) {
  return {{"kept", calibration.kept},
          {"reason", calibration.reason},
          {"temperature", calibration.temperature},
          {"rows", calibration.rows},
          {"loss_before", calibration.loss_before},
          {"loss_after", calibration.loss_after},
          {"error_before", calibration.error_before},
          {"error_after", calibration.error_after}};
}

Json fields(const Best& best) {
  return {{"epoch", best.epoch}, {"step", best.step}, {"value", best.value}, {"evaluation", measured(best.evaluation)}};
}

template <class T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(fields(value));
  return list;
}
template <class T>
Json fields_or_null(const std::optional<T>& value) {
  return value ? fields(*value) : Json();
}

Json fields(const FitEnd& end) {
  return {{"reason", name_of(end.reason)},
          {"signal", end.signal},
          {"epochs", end.epochs},
          {"steps", end.steps},
          {"skipped", end.skipped},
          {"rollbacks", end.rollbacks},
          {"lr", end.lr},
          {"train_loss", end.train_loss},
          {"validation", measured(end.validation)},
          {"monitor", end.monitor},
          {"best", fields_or_null(end.best)},
          {"best_restored", end.best_restored},
          {"anomalies", list_of(end.anomalies)},
          {"anomaly_counts", end.anomaly_counts},
          {"repairs", list_of(end.repairs)},
          {"refit", fields_or_null(end.refit)},
          {"calibration", fields_or_null(end.calibration)},
          {"summary", items(end.summary)},
          {"run_dir", end.run_dir},
          {"checkpoint", end.checkpoint},
          {"checkpoint_problem", end.checkpoint_problem},
          {"seconds", end.seconds}};
}

// The line of an event whose fields are those.
std::string line_of(const char* name, const Json& fields) {
  Json event = begin_event(name);
  event.update(fields);
  return text_of(event);
}

}  // namespace

std::string json_of(const FitStart& event) {
  return line_of("fit_start", {{"resumed", event.resumed},
                               {"step", event.step},
                               {"epochs", event.epochs},
                               {"batches_per_epoch", event.batches_per_epoch},
                               {"planned_steps", event.planned_steps},
                               {"run_dir", event.run_dir},
                               {"summary", items(event.summary)}});
}

std::string json_of(const TrainStart& event) { return line_of("train_start", {{"found", items(event.found)}}); }

std::string json_of(const StepStats& event, double samples_per_second) {
  return line_of("step", {{"step", event.step},
                          {"micro_step", event.micro_step},
                          {"epoch", event.epoch},
                          {"batch", event.batch},
                          {"samples", event.samples},
                          {"loss", event.loss},
                          {"ema_loss", event.ema_loss},
                          {"lr", event.lr},
                          {"grad_norm", event.grad_norm},
                          {"clipped", event.clipped},
                          {"samples_per_second", samples_per_second}});
}

std::string json_of(const LayerReport& event) {
  Json layers = Json::array();
  for (const LayerStats& layer : event.layers)
    layers.push_back({{"name", layer.name},
                      {"grad_norm", layer.grad_norm},
                      {"grad_mean", layer.grad_mean},
                      {"grad_max", layer.grad_max},
                      {"update_ratio", layer.update_ratio},
                      {"dead_units", layer.dead_units}});
  return line_of("layers", {{"step", event.step}, {"layers", std::move(layers)}});
}

std::string json_of(const EvaluationStats& event) {
  return line_of("evaluated", {{"step", event.step},
                               {"epoch", event.epoch},
                               {"monitored", event.monitored},
                               {"best", event.best},
                               {"evaluation", measured(event.evaluation)}});
}

std::string json_of(const EpochStats& event) {
  return line_of("epoch_end", {{"epoch", event.epoch},
                               {"step", event.step},
                               {"lr", event.lr},
                               {"train_loss", event.train_loss},
                               {"metrics", named(event.metrics)},
                               {"validation", measured(event.validation)},
                               {"seconds", event.seconds}});
}

std::string json_of(const Anomaly& event) { return line_of("anomaly", fields(event)); }
std::string json_of(const RepairAttempt& event) { return line_of("repair", fields(event)); }
std::string json_of(const Refit& event) { return line_of("refit", fields(event)); }
std::string json_of(const FitEnd& event) { return line_of("fit_end", fields(event)); }

std::string json_of(const PartEnd& event) {
  return line_of("part_end", {{"kind", event.kind},
                              {"number", event.number},
                              {"count", event.count},
                              {"test", measured(event.test)},
                              {"fit", fields(event.fit)}});
}

std::string json_of_figures(const std::vector<MetricValue>& figures) { return text_of(named(figures)); }

std::string json_of_summary(const std::vector<SummaryItem>& summary) {
  Json object = Json::object();
  for (const SummaryItem& item : summary) object[item.name] = item.off ? "off: " + item.value : item.value;
  return text_of(object);
}

}  // namespace handrail::train
