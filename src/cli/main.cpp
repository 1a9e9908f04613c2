#include <iostream>
#include <string>
#include <vector>

#include "base/allocator.h"
#include "base/interrupt.h"
#include "cli/command_line.h"

int main(int argc, char** argv) {
  portwright::base::exit_on_interrupt();
  portwright::base::tune_allocator();
  return portwright::cli::run_command_line(
      std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
