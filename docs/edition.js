// The link to the other edition leads to the section that is being read: both have the same ones, in the same order.
addEventListener("DOMContentLoaded", () => {
    const sections = [...document.querySelectorAll("article section")];
    const asked = location.hash.match(/^#section-(\d+)$/);
    if (asked) sections[asked[1]]?.scrollIntoView();
    document.querySelector("a.edition")?.addEventListener("click", event => {
        const read = sections.findLastIndex(section => section.getBoundingClientRect().top < innerHeight / 2);
        event.currentTarget.hash = read > 0 ? `section-${read}` : "";
    });
});
