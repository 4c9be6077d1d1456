// Before the page is painted: what the reader chose last, or what the system says.
"use strict";
try {
  const chosen = localStorage.getItem("tidemark-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch (error) {
  // A file opened from disk may have no storage; the system's theme is used.
}
