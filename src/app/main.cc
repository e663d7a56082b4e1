#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>

#include "app/balancer.h"
#include "app/counter.h"
#include "app/envoy.h"
#include "app/last_words.h"
#include "app/serve.h"
#include "app/version.h"
#include "cli/backup.h"
#include "cli/check.h"
#include "cli/moves.h"
#include "cli/slots.h"
#include "cli/tokens.h"
#include "cli/top.h"
#include "rpc/library_logs.h"
#include "runtime/core_dumps.h"
#include "runtime/log.h"
#include "runtime/signals.h"
#include "settings/command_line.h"
#include "settings/completion.h"
#include "settings/manual.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace {

namespace app = tracker::app;
namespace runtime = tracker::runtime;
namespace cli = tracker::cli;
namespace settings = tracker::settings;
using settings::StartupError;

constexpr const char* about_settings =
    "Each setting can also be given by the environment variable in brackets. The flag beats the variable. A "
    "flag that cannot take effect is refused; such a variable is ignored.\n\n"
    "  ADDRESS   127.0.0.1:80, [::1]:80, or :80 for every address of the machine\n"
    "  DURATION  300ms, 2s, 5m, 1h or 1d; a bare number counts seconds\n"
    "  SIZE      8KiB, 1MiB or 2GiB; 8K and 8KB also mean 8KiB, which is 8192 bytes;\n"
    "            a bare number counts bytes\n"
    "  COUNT     a whole number\n"
    "  A setting without a value is a switch; its variable takes yes or no.";

/// The first socket would take a closed standard descriptor, and the log would be written into it.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1) continue;
    if (open("/dev/null", O_RDWR) == -1) static_cast<void>(open("/", O_PATH));  // this takes no data either
  }
}

/// Makes malloc() give freed blocks of 1 MiB and more back to the kernel at once. By default it keeps freed blocks of up
/// to 32 MiB in its heap (mallopt(3), M_MMAP_THRESHOLD). Then the process takes more memory than the bounds for what
/// connections keep: 90 MiB more were seen with 300 incomplete messages of 2 MiB.
void return_large_blocks() {
  mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);  // twice as much, as malloc() itself would have it
}

/// The command line: the commands that there are, and the one that was given.
class CommandLine {
 public:
  CommandLine() {
    program_.set_version_flag("--version,-V", app::version_text());
    program_.require_subcommand(0, 1);
    program_.allow_extras();
    add("serve", "Runs an envoy and a counter in one process.", about_settings, true, serve_,
        app::add_serve_settings, app::serve);
    add("envoy", "Runs an HTTP envoy, stateless, in front of a counter.", about_settings, true, envoy_,
        app::add_envoy_command_settings, app::run_envoy_command);
    add("counter", "Runs a gRPC counter, which owns the counts.", about_settings, true, counter_,
        app::add_counter_settings, app::run_counter);
    add("balancer", "Runs a balancer, which knows which counter owns which token.", about_settings, true,
        balancer_, app::add_balancer_settings, app::run_balancer);
    add("backup", "Copies the store on disk, while it is served or not.", cli::about_backup, false, backup_,
        cli::add_backup_settings, cli::backup);
    add("restore", "Makes a store of a backup.", cli::about_restore, false, restore_,
        cli::add_restore_settings, cli::restore);
    add("export", "Writes the tokens of a store and their counts into a file.", cli::about_export, false,
        export_, cli::add_export_settings, cli::export_tokens);
    add("import", "Adds the tokens of such a file to a store.", cli::about_import, false, import_,
        cli::add_import_settings, cli::import_tokens);
    add("check", "Sends a known load to running envoys, and judges every answer.", about_settings, false,
        check_, cli::add_check_settings, cli::check);
    add("slots", "Shows which counter owns which tokens, or forgets a counter.", cli::about_slots, false,
        slots_, cli::add_slots_settings, cli::slots);
    add("tokens", "Lists, makes and revokes tokens of services that run.", cli::about_tokens, false, tokens_,
        cli::add_tokens_settings, cli::tokens);
    add("counts", "Prints the counts of one token.", cli::about_counts, false, counts_,
        cli::add_counts_settings, cli::counts);
    add("status", "Says how services that run are.", cli::about_status, false, status_,
        cli::add_status_settings, cli::status);
    add("top", "Shows the busiest paths or tokens of services that run.", cli::about_top, false, top_,
        cli::add_top_settings, cli::top);
    help_.add_option("COMMAND", help_about_);
    help_.allow_extras();
    version_.allow_extras();
    completion_.add_option("SHELL", shell_);
    completion_.allow_extras();
    manual_.add_option("DIR", manual_directory_);
    manual_.allow_extras();
  }

  /// Returns the exit code. Throws StartupError.
  int run(int argc, char** argv) {
    try {
      program_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      const auto* command = chosen();
      return print(command != nullptr ? help_of(*command) : help_of(commands_));
    } catch (const CLI::CallForVersion&) {
      return print(app::version_text() + "\n");
    } catch (const CLI::ArgumentMismatch& error) {  // "--threads: 1 required TEXT missing"
      const std::string what = error.what();
      throw StartupError(StartupError::bad_setting,
                         what.substr(0, what.find(':')) + ": its value is missing");
    }
    if (!program_.remaining().empty()) refuse_without_command(commands_, program_.remaining());
    if (help_.parsed()) {
      require_no_more(help_);
      for (const auto* other : {&help_, &version_, &completion_, &manual_}) {
        if (other->get_name() == help_about_)
          help_about_.clear();  // the help of the program says all about it
      }
      return print(help_about_.empty() ? help_of(commands_) : help_of(command_of(commands_, help_about_)));
    }
    if (version_.parsed()) {
      require_no_more(version_);
      return print(app::version_text() + "\n");
    }
    if (completion_.parsed()) return print_completion();
    if (manual_.parsed()) return write_manual();
    const auto* command = chosen();
    if (command == nullptr) refuse_without_command(commands_, {});
    return run(*command);
  }

 private:
  template <typename Settings, typename Run>
  void add(const std::string& name, const std::string& summary, const std::string& details, bool is_service,
           Settings& settings, void (*add_settings)(settings::SettingTable&, Settings&), Run run_it) {
    auto& parser = *program_.add_subcommand(name);
    commands_.push_back({name, summary, details, is_service, log_of(settings), parser,
                         settings::SettingTable(parser), [run_it, &settings] {
                           if constexpr (std::is_void_v<decltype(run_it(settings))>) {
                             run_it(settings);
                             return EXIT_SUCCESS;
                           } else {
                             return run_it(settings) ? EXIT_SUCCESS : EXIT_FAILURE;
                           }
                         }});
    add_settings(commands_.back().table, settings);
  }

  /// Only services have settings of the log.
  template <typename Settings>
  static const runtime::LogSettings& log_of(const Settings& settings) {
    if constexpr (requires { settings.service.log; }) {
      return settings.service.log;
    } else {
      static const runtime::LogSettings by_default;
      return by_default;
    }
  }

  const settings::Command* chosen() const {
    for (const auto& command : commands_) {
      if (command.parser.parsed()) return &command;
    }
    return nullptr;
  }

  static void require_no_more(const CLI::App& parser) {
    if (parser.remaining().empty()) return;
    throw StartupError(StartupError::bad_setting,
                       "tracker " + parser.get_name() + " takes no more than that");
  }

  int print_completion() const {
    require_no_more(completion_);
    if (shell_ != "bash") {
      throw StartupError(
          StartupError::bad_setting,
          settings::shown(shell_) + ": there is no completion for this shell; write tracker completion bash");
    }
    return print(settings::bash_completion(commands_));
  }

  int write_manual() const {
    require_no_more(manual_);
    if (manual_directory_.empty()) {
      throw StartupError(StartupError::bad_setting, "DIR is missing; write tracker manual DIR");
    }
    settings::write_manual(commands_, "tracker " TRACKER_VERSION, manual_directory_);
    return EXIT_SUCCESS;
  }

  static int print(const std::string& text) {
    std::cout << text << std::flush;
    return EXIT_SUCCESS;
  }

  int run(const settings::Command& command) const {
    if (const auto unknown = command.parser.remaining(); !unknown.empty()) {
      const auto flag = std::find_if(unknown.begin(), unknown.end(),
                                     [](const std::string& argument) { return argument.starts_with('-'); });
      refuse_argument(commands_, command, flag != unknown.end() ? *flag : unknown.front());
    }
    command.table.read();
    runtime::open_log(command.name, command.is_service ? app::version_text() : "", command.log);
    runtime::start_signal_thread(command.is_service ? runtime::Process::service : runtime::Process::command);
    tracker::rpc::log_for_libraries();
    if (!command.is_service) runtime::forbid_core_dumps();  // a service has a setting
    for (const auto& warning : misspelled_variables(commands_)) runtime::log_warning(warning);
    return command.run();
  }

  app::ServeSettings serve_;
  app::EnvoyCommandSettings envoy_;
  app::CounterSettings counter_;
  app::BalancerSettings balancer_;
  cli::BackupSettings backup_;
  cli::BackupSettings restore_;
  cli::ExportSettings export_;
  cli::ImportSettings import_;
  cli::CheckSettings check_;
  cli::SlotsSettings slots_;
  cli::TokensSettings tokens_;
  cli::CountsSettings counts_;
  cli::StatusSettings status_;
  cli::TopSettings top_;

  CLI::App program_{"", "tracker"};
  settings::Commands commands_;
  CLI::App& help_ = *program_.add_subcommand("help");
  CLI::App& version_ = *program_.add_subcommand("version");
  CLI::App& completion_ = *program_.add_subcommand("completion");
  CLI::App& manual_ = *program_.add_subcommand("manual");
  std::string help_about_;
  std::string shell_;
  std::string manual_directory_;
};

}  // namespace

int main(int argc, char** argv) {
  int exit_code = StartupError::refused_by_the_machine;
  try {
    return_large_blocks();
    runtime::hold_signals();
    app::end_by_last_words();
    open_standard_descriptors();
    umask(S_IRWXG | S_IRWXO);  // every file that it makes belongs to a store or a backup, which are private
    exit_code = CommandLine().run(argc, argv);
  } catch (const StartupError& error) {
    runtime::log_failure(error.what());
    exit_code = error.exit_code();
  } catch (...) {
    runtime::log_failure(app::last_words(std::current_exception()));
  }
  runtime::flush_log();
  return exit_code;
}
