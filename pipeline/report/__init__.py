"""The nightly report: a folder of pages that opens from disk, made from the published file.

Every figure on a page is a row of a select in ``sql/report/``, and every chart and table can be
had as CSV beside the page. No server, no address outside of the folder.
"""
