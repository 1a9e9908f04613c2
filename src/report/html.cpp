#include "report/report.h"

namespace portwright::report {

std::string to_html(const Report& report) {
  return "<!doctype html><title>portwright</title><p>" +
         verdict_sentence(report.results);
}

}  // namespace portwright::report
