#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>

#ifdef HANDRAIL_SQLITE
#include <sqlite3.h>
#endif

#include <handrail/core/error.h>
#include <handrail/train/files/log_file.h>
#include <handrail/train/report/internal/sinks/event_json.h>
#include <handrail/train/report/internal/sinks/figures.h>
#include <handrail/train/report/sinks.h>

namespace handrail::train {

#ifdef HANDRAIL_SQLITE
namespace {

// Where trackio looks for its databases.
std::filesystem::path usual_dir() {
  if (const char* dir = std::getenv("TRACKIO_DIR"); dir && *dir) return dir;
  if (const char* cache = std::getenv("HF_HOME"); cache && *cache) return std::filesystem::path(cache) / "trackio";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : ".") / ".cache" / "huggingface" / "trackio";
}

// The name of the file of a project: letters, digits, '-' and '_' only, as trackio makes it.
std::string file_name(const std::string& project) {
  std::string name;
  for (const char c : project)
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_') name += c;
  return (name.empty() ? "default" : name) + ".db";
}

// The local time, as Python's datetime.now().isoformat() writes it, without fractions of a second.
std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local)};
}

// A connection to a database, which other processes may use at the same time.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { close(); }

  bool open(const std::filesystem::path& path) {
    constexpr int max_wait_ms = 5000;  // for another process that writes
    if (sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) != SQLITE_OK)
      return false;
    sqlite3_busy_timeout(db_, max_wait_ms);
    return run("PRAGMA journal_mode = WAL");
  }
  void close() {
    sqlite3_close_v2(db_);  // which takes null
    db_ = nullptr;
  }
  bool is_open() const { return db_ != nullptr; }
  std::string problem() const { return db_ ? sqlite3_errmsg(db_) : "out of memory"; }

  // Makes the statement with these values for its question marks. Returns whether it succeeded.
  template <class... Values>
  bool run(const char* sql, const Values&... values) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK) return false;
    int number = 0;
    (bind(statement, ++number, values), ...);
    int status = SQLITE_ROW;
    while (status == SQLITE_ROW) status = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return status == SQLITE_DONE;
  }

 private:
  static void bind(sqlite3_stmt* statement, int number, const std::string& text) {
    sqlite3_bind_text64(statement, number, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  static void bind(sqlite3_stmt* statement, int number, std::int64_t value) {
    sqlite3_bind_int64(statement, number, value);
  }

  sqlite3* db_ = nullptr;
};

class Trackio final : public LogSink {
 public:
  explicit Trackio(TrackioOptions options)
      : options_(std::move(options)),
        path_(absolute_path((options_.dir.empty() ? usual_dir() : options_.dir) / file_name(options_.project))) {}

  void check() const override {
    check_log_path(posix_file_system(), path_, "trackio", "set TrackioOptions::dir or project to another one");
  }
  std::string take_problem() override { return std::exchange(problem_, {}); }

  void fit_start(const FitStart& event) override {
    steps_ = {};
    has_noted_ = false;
    run_ = options_.run.empty() ? name_of(event) : options_.run;
    std::error_code error;
    std::filesystem::create_directories(path_.parent_path(), error);  // what fails shows when the file is opened
    database_.close();
    if (!database_.open(path_) || !make_tables()) return fail_once();
    if (event.resumed) keep(database_.run("DELETE FROM metrics WHERE run_name = ? AND step > ?", run_, event.step));
    keep(database_.run("INSERT OR REPLACE INTO configs (run_name, config, created_at) VALUES (?, ?, ?)", run_,
                       json_of_summary(event.summary), now()));
  }
  void train_start(const TrainStart&) override { steps_.start(); }
  void step_end(const StepStats& stats) override { steps_.add(stats); }
  void layers(const LayerReport& report) override {
    Figures figures = steps_.take(Names::tags);
    for (const LayerStats& layer : report.layers)
      for (const LayerFigure& figure : layer_figures)
        figures.push_back({concat("layers/", layer.name, '/', figure.name), layer.*figure.value});
    write(report.step, figures);
  }
  void evaluated(const EvaluationStats& stats) override {
    write(stats.step, figures_of(stats.evaluation, Names::tags));
  }
  void epoch_end(const EpochStats& stats) override { write(stats.step, figures_of(stats, Names::tags)); }
  void fit_end(const FitEnd&) override { database_.close(); }

 private:
  // runs/digits/3 is the run digits-3.
  static std::string name_of(const FitStart& event) {
    const std::filesystem::path dir(event.run_dir);
    return dir.empty() ? now() : concat(dir.parent_path().filename().string(), '-', dir.filename().string());
  }

  bool make_tables() {
    return database_.run(
               "CREATE TABLE IF NOT EXISTS metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, "
               "timestamp TEXT NOT NULL, run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL)") &&
           database_.run(
               "CREATE TABLE IF NOT EXISTS configs (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, "
               "run_name TEXT NOT NULL, config TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE(run_name))") &&
           database_.run("CREATE INDEX IF NOT EXISTS idx_metrics_run_step ON metrics(run_name, step)");
  }

  void write(std::int64_t step, const Figures& figures) {
    if (!database_.is_open()) return;
    keep(database_.run("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", now(), run_,
                       step, json_of_figures(figures)));
  }
  void keep(bool succeeded) {
    if (!succeeded) fail_once();
  }
  void fail_once() {
    if (std::exchange(has_noted_, true)) return;
    problem_ = concat("trackio: '", path_.string(), "': ", database_.problem(), "; figures are missing from it");
  }

  TrackioOptions options_;
  std::filesystem::path path_;
  Database database_;
  std::string run_;
  StepFigures steps_;
  std::string problem_;
  bool has_noted_ = false;  // a problem since the fit began
};

}  // namespace

std::shared_ptr<LogSink> trackio(const TrackioOptions& options) { return std::make_shared<Trackio>(options); }

#else

std::shared_ptr<LogSink> trackio(const TrackioOptions&) {
  fail<Error>("trackio: want a library that was built with SQLite; got one without; install libsqlite3-dev, and build ",
              "handrail again with HANDRAIL_SQLITE=ON");
}

#endif

}  // namespace handrail::train
