#include <handrail/train/report/html/internal/style.h>

#include <handrail/train/report/html/internal/escape.h>

namespace handrail::train::html {
namespace {

// The colours are variables: one set for light, one for dark. h0 to h8 grow from faint to strong; r0 to r8 go from too
// small over neutral to too large. s0 to s7 tell runs apart (after Okabe and Ito 2008), and have dashes besides.
constexpr const char* colour_rules = R"(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59626d;--rule:#d5dae0;--grid:#e9ecf0;--wash:#f5f7f9;
--ema:#14508c;--raw:#a9c3dd;--val:#b3430f;--warn:#9c2f0b;--warnbg:#fdf3ee;--mark:#7a5c00;
--h0:#eef3f9;--h1:#dbe7f3;--h2:#c2d7ea;--h3:#a2c3df;--h4:#7eaad0;--h5:#5a8fbf;--h6:#3a72a8;--h7:#21568a;--h8:#0d3a66;
--r0:#235a8f;--r1:#4d83b5;--r2:#86aed2;--r3:#c3d8ea;--r4:#f0efeb;--r5:#f6d3b8;--r6:#ea9f6d;--r7:#cf6a30;--r8:#a03e0c;
--s0:#0072b2;--s1:#c4500a;--s2:#007a5a;--s3:#a8487f;--s4:#7a6000;--s5:#2a7fb0;--s6:#4b4b4b;--s7:#7d3fb5}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e4e7ea;--soft:#a3acb7;--rule:#363d46;--grid:#272d34;
--wash:#1c2126;--ema:#82b8f0;--raw:#41607f;--val:#f29a5f;--warn:#ffa07a;--warnbg:#2b1e19;--mark:#d9b84a;
--h0:#1c2733;--h1:#203449;--h2:#254361;--h3:#2c557d;--h4:#366a9b;--h5:#4a83b6;--h6:#6b9fcd;--h7:#97bfe3;--h8:#cbe2f7;
--r0:#7fb4e8;--r1:#5b90c4;--r2:#43698f;--r3:#334a60;--r4:#30343a;--r5:#5f4332;--r6:#96592f;--r7:#cf7a3c;--r8:#ffaa70;
--s0:#56b4e9;--s1:#f0904a;--s2:#3cc29a;--s3:#dd8fbe;--s4:#d6bb4f;--s5:#8fc7ea;--s6:#b9bfc6;--s7:#bd9bea}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--rule:#bbb;--grid:#ddd;--wash:#fff;--ema:#14508c;--raw:#a9c3dd;
--val:#b3430f;--warn:#9c2f0b;--warnbg:#fff;--mark:#7a5c00}}
)";

constexpr const char* text_rules = R"(
*{box-sizing:border-box}
body{margin:0 auto;padding:36px 28px 64px;max-width:1080px;background:var(--paper);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1,h2,h3{font-family:Charter,"Iowan Old Style","Palatino Linotype",Georgia,"DejaVu Serif",serif;line-height:1.25;
font-weight:600}
h1{font-size:30px;margin:0 0 6px}h2{font-size:20px;margin:44px 0 4px;padding-top:14px;border-top:1px solid var(--rule)}
h3{font-size:16px;margin:22px 0 2px}
p{margin:4px 0;max-width:76ch}.small,.lead{color:var(--soft)}.small{font-size:13px}.lead{font-size:16px}
code{font:13px/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.facts{display:flex;flex-wrap:wrap;margin:22px 0 0;gap:14px 40px}
.facts div{display:flex;flex-direction:column-reverse}.facts dt{color:var(--soft);font-size:13px}
.facts dd{margin:0;font-size:24px;line-height:1.2;font-weight:500;letter-spacing:-.01em}
.finding{margin:14px 0;padding:10px 16px 12px;border-left:3px solid var(--soft);background:var(--wash);
break-inside:avoid}
.finding.warn{border-color:var(--warn);background:var(--warnbg)}
.finding h3{margin:0;font:600 15px/1.45 inherit;font-family:inherit}
.finding .tag{color:var(--soft);font-weight:600;margin-right:6px}.finding.warn .tag{color:var(--warn)}
.finding .at{color:var(--soft);font-weight:400;font-size:13px;margin-left:6px}
.finding dl{display:grid;grid-template-columns:max-content 1fr;gap:1px 14px;margin:6px 0 0;font-size:14px}
.finding dt{color:var(--soft)}.finding dd{margin:0;max-width:80ch}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:0 36px}
.pair>*{min-width:0}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;margin:8px 0}
th,td{padding:4px 14px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
thead th{color:var(--soft);font-weight:500;border-bottom-color:var(--rule)}
tbody th{font-weight:500}
.num{text-align:right}
td.off{color:var(--warn)}
.settings th{overflow-wrap:normal}
.confusion th,.confusion td{border:0;padding:5px 9px;text-align:right;white-space:nowrap}
.confusion thead th{text-align:right}.confusion td{min-width:44px}
.confusion .r{color:var(--soft);padding-left:18px}
.d0,.d1,.d2,.d3,.d4,.d5,.d6,.d7,.d8{border-radius:2px}
.d0{background:var(--h0)}.d1{background:var(--h1)}.d2{background:var(--h2)}.d3{background:var(--h3)}
.d4{background:var(--h4)}.d5{background:var(--h5)}.d6{background:var(--h6)}.d7{background:var(--h7)}
.d8{background:var(--h8)}
.d0,.d1,.d2,.d3{color:var(--ink)}.d4{color:#0a1420}.d5,.d6,.d7,.d8{color:#fff}
footer{margin-top:52px;padding-top:12px;border-top:1px solid var(--rule);color:var(--soft);font-size:13px}
@media (prefers-color-scheme:dark){.d4,.d5{color:#fff}.d6,.d7,.d8{color:#0a1420}}
)";

constexpr const char* chart_rules = R"(
figure{margin:10px 0 6px;padding-bottom:1px;break-inside:avoid}
.plot{display:block;overflow:visible;margin:12px 136px 42px 56px;width:calc(100% - 192px)}
.plot.heat,.plot.events{margin-left:132px;margin-right:12px;width:calc(100% - 144px)}
.plot.events{margin-right:136px;margin-left:56px;width:calc(100% - 192px)}
svg text{font-size:12px;fill:var(--ink)}svg text.tick{fill:var(--soft)}
.grid{stroke:var(--grid)}.axis{stroke:var(--rule)}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.area{stroke-width:1;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.dots{fill:none;stroke-width:5;stroke-linecap:round;vector-effect:non-scaling-stroke}
.raw{stroke:var(--raw)}.area.raw{fill:var(--raw)}.line.raw{stroke-width:1.2}
.ema{stroke:var(--ema)}.area.ema{fill:var(--ema)}.val{stroke:var(--val)}.area.val{fill:var(--val)}
.t-raw{fill:var(--soft)}svg .t-ema{fill:var(--ema)}svg .t-val{fill:var(--val)}svg .t-limit{fill:var(--mark)}
.level{stroke:var(--mark);stroke-dasharray:5 4}.moment{stroke:var(--warn);stroke-dasharray:2 3}
.moment.note{stroke:var(--soft)}.moment.pick{stroke:var(--val);stroke-dasharray:none}
.spot{stroke-width:2}circle.spot{fill:var(--paper);stroke:var(--val)}
text.spot{font-weight:600}.events text.spot{font-weight:400}text.spot,text.note{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.tickmark{stroke-width:2}.tickmark.warn{stroke:var(--warn)}.tickmark.note{stroke:var(--soft)}
.key{display:none;list-style:none;margin:6px 0 0;padding:0;flex-wrap:wrap;gap:2px 16px;font-size:13px}
.key svg{vertical-align:middle;margin-right:6px}.key.always{display:flex}
.ramp{display:flex;align-items:center;flex-wrap:wrap;gap:4px 8px;font-size:12px;color:var(--soft);margin:0 0 8px}
.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}.h4{fill:var(--h4)}.h5{fill:var(--h5)}
.h6{fill:var(--h6)}.h7{fill:var(--h7)}.h8{fill:var(--h8)}
.r0{fill:var(--r0)}.r1{fill:var(--r1)}.r2{fill:var(--r2)}.r3{fill:var(--r3)}.r4{fill:var(--r4)}.r5{fill:var(--r5)}
.r6{fill:var(--r6)}.r7{fill:var(--r7)}.r8{fill:var(--r8)}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1);stroke-dasharray:7 4}.s2{stroke:var(--s2);stroke-dasharray:2 4}
.s3{stroke:var(--s3);stroke-dasharray:9 4 2 4}.s4{stroke:var(--s4);stroke-dasharray:13 4}
.s5{stroke:var(--s5);stroke-dasharray:4 2}.s6{stroke:var(--s6);stroke-dasharray:1 3}
.s7{stroke:var(--s7);stroke-dasharray:9 3 2 3 2 3}
.area.s0,.area.s1,.area.s2,.area.s3,.area.s4,.area.s5,.area.s6,.area.s7{stroke-dasharray:none;fill-opacity:.35}
.area.s0{fill:var(--s0)}.area.s1{fill:var(--s1)}.area.s2{fill:var(--s2)}.area.s3{fill:var(--s3)}
.area.s4{fill:var(--s4)}.area.s5{fill:var(--s5)}.area.s6{fill:var(--s6)}.area.s7{fill:var(--s7)}
svg .t-s0{fill:var(--s0)}svg .t-s1{fill:var(--s1)}svg .t-s2{fill:var(--s2)}svg .t-s3{fill:var(--s3)}
svg .t-s4{fill:var(--s4)}svg .t-s5{fill:var(--s5)}svg .t-s6{fill:var(--s6)}svg .t-s7{fill:var(--s7)}
.dots{stroke-dasharray:none}
@media (max-width:640px){body{padding:22px 16px 40px;font-size:15px}h1{font-size:25px}.facts{gap:12px 28px}
.facts dd{font-size:20px}.key{display:flex}.plot,.plot.events{margin-left:50px;margin-right:10px;width:calc(100% - 60px)}
.plot.events{margin-right:124px;width:calc(100% - 174px)}
.plot.heat{margin-left:112px;margin-right:4px;width:calc(100% - 116px)}
text.end,text.minor{display:none}.finding dl{grid-template-columns:1fr}.finding dd{margin-bottom:4px}
.settings tr{display:block;border-bottom:1px solid var(--grid);padding:3px 0}
.settings th,.settings td{display:block;border:0;padding:0}.settings thead{display:none}}
@media print{body{max-width:none;padding:0;font-size:11pt}h2,h3{break-after:avoid}figure+.small{break-before:avoid}
tr,.confusion{break-inside:avoid}.confusion{font-size:11px}.confusion th,.confusion td{padding:2px 3px;min-width:0;white-space:normal}
*{print-color-adjust:exact}}
)";

}  // namespace

void append_page_start(std::string& page, const std::string& title, bool reload) {
  page +=
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src "
      "&#39;unsafe-inline&#39;\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
      "<meta name=\"referrer\" content=\"no-referrer\"/>\n";
  if (reload) page += "<meta http-equiv=\"refresh\" content=\"60\"/>\n";
  page += "<title>";
  append_escaped(page, title);
  page += "</title>\n<style>";
  for (const char* part : {colour_rules, text_rules, chart_rules}) page += part;
  page += "</style>\n</head>\n<body>\n";
}

void append_page_end(std::string& page) { page += "</body>\n</html>\n"; }

}  // namespace handrail::train::html
