#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>

#include "app/backup.h"
#include "app/check.h"
#include "app/counter.h"
#include "app/envoy.h"
#include "app/serve.h"
#include "app/setting_table.h"
#include "app/startup_error.h"
#include "app/version.h"
#include "runtime/log.h"
#include "runtime/signals.h"

namespace {

namespace app = tracker::app;
using app::StartupError;

constexpr const char* about =
    "tracker hands out tokens and answers, for every HTTP request that carries one, how many times that "
    "token has\n"
    "asked for that path.\n\n"
    "  tracker serve                                        start it\n"
    "  curl localhost:6380/auth                             get a token\n"
    "  curl -H 'Authorization: TOKEN' localhost:6380/any    be counted";

constexpr const char* about_settings =
    "Each setting can also be given by the environment variable named in brackets; the flag beats it.\n"
    "Durations are written like 300ms, 2s or 5m, sizes like 8KiB, addresses like 127.0.0.1:80, [::1]:80 or "
    ":80.";

constexpr const char* commands =
    "tracker serve, tracker envoy, tracker counter, tracker backup, tracker restore and tracker check";

/// A closed standard descriptor would be taken by the first socket, and the log would be written into that.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) == -1) static_cast<void>(open("/dev/null", O_RDWR));
  }
}

/// What the command line parser would say less clearly.
void check_command(const std::string& name) {
  if (name.starts_with('-')) return;
  for (const auto* command : {"serve", "envoy", "counter", "backup", "restore", "check"}) {
    if (name == command) return;
  }
  const std::string what =
      name == "balancer" ? name + ": this command is not built yet" : "\"" + name + "\" is no command";
  throw StartupError(StartupError::bad_setting, what + "; there are " + commands);
}

/// One command, and its settings.
template <typename Settings>
class Command {
 public:
  Command(CLI::App& program, const std::string& name, const std::string& help,
          void (*add_settings)(app::SettingTable&, Settings&), const std::string& footer = about_settings)
      : parser_(*program.add_subcommand(name, help)), table_(parser_) {
    parser_.footer(footer);
    add_settings(table_, settings_);
  }

  bool is_chosen() const { return parser_.parsed(); }

  /// Throws StartupError.
  const Settings& settings() const {
    table_.read();
    return settings_;
  }

 private:
  CLI::App& parser_;
  app::SettingTable table_;
  Settings settings_;
};

int run(int argc, char** argv) {
  if (argc > 1) check_command(argv[1]);

  CLI::App program(about, "tracker");
  program.set_version_flag("--version", app::version_text(), "Print the version and end.");
  program.set_help_flag("--help,-h", "Print this help and end.");
  program.require_subcommand(0, 1);
  program.get_formatter()->column_width(28);
  const Command<app::ServeSettings> serve(
      program, "serve", "Envoy and counter in one process: nothing else to start.", app::add_serve_settings);
  const Command<app::EnvoyCommandSettings> envoy(program, "envoy",
                                                 "An HTTP envoy service, stateless, in front of a counter.",
                                                 app::add_envoy_command_settings);
  const Command<app::CounterSettings> counter(
      program, "counter", "A gRPC counter service, which owns the counts.", app::add_counter_settings);
  const Command<app::BackupSettings> backup(program, "backup",
                                            "Copies the store on disk, while it is served or not.",
                                            app::add_backup_settings, app::about_backup);
  const Command<app::BackupSettings> restore(program, "restore", "Makes a store of a backup.",
                                             app::add_restore_settings, app::about_restore);
  const Command<app::CheckSettings> check(program, "check",
                                          "Sends a known load to envoys that run, and judges every answer.",
                                          app::add_check_settings);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return program.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    throw StartupError(StartupError::bad_setting,
                       std::string(error.what()) + "; see tracker --help, and --help of each command");
  }

  const bool is_service = serve.is_chosen() || envoy.is_chosen() || counter.is_chosen();
  tracker::runtime::open_log(argv[1], is_service ? app::version_text() : "");
  tracker::runtime::start_signal_thread(is_service ? tracker::runtime::Process::service
                                                   : tracker::runtime::Process::command);
  if (check.is_chosen()) return app::check(check.settings()) ? EXIT_SUCCESS : EXIT_FAILURE;
  if (serve.is_chosen()) {
    app::serve(serve.settings());
  } else if (envoy.is_chosen()) {
    app::run_envoy_command(envoy.settings());
  } else if (counter.is_chosen()) {
    app::run_counter(counter.settings());
  } else if (backup.is_chosen()) {
    app::backup(backup.settings());
  } else if (restore.is_chosen()) {
    app::restore(restore.settings());
  } else {
    throw StartupError(StartupError::bad_setting,
                       "a command is missing; there are " + std::string(commands) + "; see tracker --help");
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  int exit_code = StartupError::refused_by_the_machine;
  try {
    tracker::runtime::hold_signals();
    open_standard_descriptors();
    exit_code = run(argc, argv);
  } catch (const StartupError& error) {
    tracker::runtime::log_failure(error.what());
    exit_code = error.exit_code();
  } catch (const std::exception& error) {
    tracker::runtime::log_failure(error.what());
  }
  tracker::runtime::flush_log();
  return exit_code;
}
