#include "eval/stdlib/modules.h"

namespace portwright::eval {

void register_modules(Interpreter&) {}

}  // namespace portwright::eval
