"""The pages, a module each; ``all_pages`` is their order in the menu."""
