document.title = "tea";
